#!/usr/bin/env bash
# What could not be verified without a Jetson: run this on a board and send the folder it writes.
#
#   scripts/jetson_acceptance.sh [--model NAME] [--csi N] [--v4l2 DEVICE] [--rtsp URL] [--seconds S] [--anywhere]
#
# Every check ends in PASS, FAIL or SKIP (the hardware is not there); the exit code is 1 if any failed. Cameras are
# tested where they are found or named. --anywhere runs the checks that need no board, to try the script itself.
set -uo pipefail
cd "$(dirname "$0")/.."

model=pose-nano csi='' v4l2='' rtsp='' seconds=20 anywhere=''
while [ $# -gt 0 ]; do
    case "$1" in
        --model) model=$2; shift 2 ;;
        --csi) csi=$2; shift 2 ;;
        --v4l2) v4l2=$2; shift 2 ;;
        --rtsp) rtsp=$2; shift 2 ;;
        --seconds) seconds=$2; shift 2 ;;
        --anywhere) anywhere=1; shift ;;
        *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done

if [ ! -e /etc/nv_tegra_release ] && [ -z "$anywhere" ]; then
    echo "this is no Jetson (there is no /etc/nv_tegra_release); --anywhere runs what needs none" >&2
    exit 3
fi
trt_pose=$(command -v trt-pose || echo .venv/bin/trt-pose)
python=$(dirname "$trt_pose")/python
[ -x "$trt_pose" ] || { echo "trt-pose is not installed; run make demo first" >&2; exit 3; }

out=acceptance-$(date +%Y%m%d-%H%M%S)
mkdir "$out"
failed=0

# check NAME COMMAND...: run it, keep its output, say PASS or FAIL.
check() {
    local name=$1
    shift
    if timeout 900 "$@" >"$out/$name.out" 2>"$out/$name.err"; then
        echo "PASS  $name"
    else
        echo "FAIL  $name  (see $out/$name.err)"
        failed=1
    fi
}
skip() { echo "SKIP  $1  ($2)"; }

# camera NAME SOURCE: frames flow, people can be counted, and the camera is free again afterwards (twice in a row).
camera() {
    for run in first second; do
        check "$1-$run" timeout -s TERM --preserve-status "$seconds" \
            "$trt_pose" run "$2" "$out/$1-$run.jsonl" "$out/$1-$run.mp4" --model "$model"
        check "$1-$run-has-frames" test -s "$out/$1-$run.jsonl"
    done
}

"$trt_pose" doctor --json >"$out/doctor.json" 2>"$out/doctor.err"
check native-parser "$python" -c 'import trt_pose_app._paf'
check bench-cpu "$trt_pose" bench --model "$model" --backend cpu --frames 100 --json

providers=$("$python" -c 'import onnxruntime; print(*onnxruntime.get_available_providers())' 2>/dev/null)
for backend in cuda tensorrt; do
    if [[ ${providers,,} == *"$backend"* ]]; then
        check "bench-$backend" "$trt_pose" bench --model "$model" --backend "$backend" --frames 300 --json
        check "bench-$backend-again" "$trt_pose" bench --model "$model" --backend "$backend" --frames 300 --json
        # The same people on every backend: boxes of the sample within 2 pixels.
        check "people-$backend" "$trt_pose" predict scripts/sample/people.jpg -o "$out/$backend.jsonl" \
            --model "$model" --backend "$backend"
        check people-cpu "$trt_pose" predict scripts/sample/people.jpg -o "$out/cpu.jsonl" --model "$model" --backend cpu
        check "people-$backend-equal" "$python" - "$out/cpu.jsonl" "$out/$backend.jsonl" <<'PYTHON'
import json, sys
cpu, other = ([p["bbox"] for p in json.loads(open(path).readline())["people"]] for path in sys.argv[1:])
assert len(cpu) == len(other) > 0, (cpu, other)
assert all(abs(a - b) <= 2 for x, y in zip(sorted(cpu), sorted(other)) for a, b in zip(x, y)), (cpu, other)
PYTHON
    else
        skip "bench-$backend" "this ONNX Runtime has: ${providers:-nothing}"
    fi
done

if [ -n "$csi" ] || pgrep -x nvargus-daemon >/dev/null 2>&1; then
    camera csi "csi://${csi:-0}"
else
    skip csi "no nvargus-daemon; name a sensor with --csi 0"
fi
[ -z "$v4l2" ] && [ -e /dev/video0 ] && v4l2=/dev/video0
if [ -n "$v4l2" ]; then camera v4l2 "$v4l2"; else skip v4l2 "no /dev/video0; name one with --v4l2"; fi
if [ -n "$rtsp" ]; then camera rtsp "$rtsp"; else skip rtsp "name one with --rtsp"; fi

check memory-stays-flat "$python" scripts/bench_pipeline.py --memory --model "$model" --frames 3000
echo "results in $out"
exit $failed

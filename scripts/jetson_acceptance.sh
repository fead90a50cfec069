#!/usr/bin/env bash
# What could not be verified without a Jetson: run this on a board and attach the report.md that it writes to an issue.
#
#   scripts/jetson_acceptance.sh [--model NAME] [--csi N] [--v4l2 DEVICE] [--rtsp URL] [--seconds S]
#                                [--annotations COCO.json] [--only engines|cameras] [--anywhere] [--dry-run]
#
# Every check ends in PASS, FAIL or SKIP (the hardware is not there); the exit code is 1 if any failed. Cameras are
# tested where they are found or named. Engines are built for every model that `trt-pose models list` finds installed,
# in fp32, fp16 and int8, compared with their ONNX, timed, and with --annotations (photos beside them) evaluated.
# --anywhere runs the checks that need no board, to try the script itself; --dry-run only says what would run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

model=pose-nano csi='' v4l2='' rtsp='' seconds=20 annotations='' only='' anywhere='' dry=''
while [ $# -gt 0 ]; do
    case "$1" in
        --model) model=$2; shift 2 ;;
        --csi) csi=$2; shift 2 ;;
        --v4l2) v4l2=$2; shift 2 ;;
        --rtsp) rtsp=$2; shift 2 ;;
        --seconds) seconds=$2; shift 2 ;;
        --annotations) annotations=$2; shift 2 ;;
        --only) only=$2; shift 2 ;;
        --anywhere) anywhere=1; shift ;;
        --dry-run) dry=1; anywhere=1; shift ;;
        *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
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
[ -n "$dry" ] && out=$(mktemp -d)
mkdir -p "$out/engines"
failed=0

# check NAME COMMAND...: run it, keep its output, say PASS or FAIL. An engine takes many minutes on a small board.
check() {
    local name=$1 start=$SECONDS result
    shift
    if [ -n "$dry" ]; then
        echo "RUN   $name: ${*@Q}"
        return
    fi
    if timeout 3600 "$@" >"$out/$name.out" 2>"$out/$name.err"; then
        result=PASS
        echo "PASS  $name"
    else
        result=FAIL
        echo "FAIL  $name  (see $out/$name.err)"
        failed=1
    fi
    printf '%s\t%s\t%s\t\n' "$result" "$name" $((SECONDS - start)) >>"$out/checks.tsv"
    [ $result = PASS ]
}
skip() {
    echo "SKIP  $1  ($2)"
    printf 'SKIP\t%s\t\t%s\n' "$1" "$2" >>"$out/checks.tsv"
}

# camera NAME SOURCE: frames flow, people can be counted, and the camera is free again afterwards (twice in a row).
camera() {
    for run in first second; do
        check "$1-$run" timeout -s TERM --preserve-status "$seconds" \
            "$trt_pose" run "$2" "$out/$1-$run.jsonl" "$out/$1-$run.mp4" --model "$model"
        check "$1-$run-has-frames" test -s "$out/$1-$run.jsonl"
    done
}

onnx_runtime() {
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
}

# engines NAME KIND FILE: build, compare, time and evaluate one model in each precision.
engines() {
    local name=$1 kind=$2 file=$3 precision engine
    for precision in fp32 fp16 int8; do
        engine=$out/engines/$name-$precision.engine
        check "build-$name-$precision" "$trt_pose" convert "$file" --to engine --precision "$precision" \
            -o "$engine" --json || continue
        check "parity-$name-$precision" "$python" scripts/engine_parity.py "$file" "$engine"
        # A second start must find the engine still good, and be quick.
        if [ "$kind" = paf ]; then
            check "bench-$name-$precision" "$trt_pose" bench --model "$engine" --frames 300 --json
            check "bench-$name-$precision-again" "$trt_pose" bench --model "$engine" --frames 300 --json
            if [ -n "$annotations" ]; then
                check "eval-$name-$precision" "$trt_pose" eval "$annotations" --model "$file" --model "$engine" --json
            else
                skip "eval-$name-$precision" "name COCO annotations with --annotations"
            fi
        else
            skip "bench-$name-$precision" "a $kind network runs in a pair only"
        fi
    done
}

all_engines() {
    if ! "$python" -c 'import tensorrt' 2>"$out/tensorrt.err" && [ -z "$dry" ]; then
        skip engines "tensorrt cannot be imported: $(tail -n 1 "$out/tensorrt.err")"
        return
    fi
    "$trt_pose" models list --json >"$out/models.json" 2>"$out/models.err"
    while IFS=$'\t' read -r name kind file; do
        engines "$name" "$kind" "$file" </dev/null
    done < <("$python" -c '
import json, sys
for model in json.load(open(sys.argv[1]))["installed"]:
    if model["problem"] is None and model["path"].endswith(".onnx"):
        print(model["name"], model["kind"], model["path"], sep="\t")
' "$out/models.json")
}

cameras() {
    if [ -n "$csi" ] || pgrep -x nvargus-daemon >/dev/null 2>&1; then
        camera csi "csi://${csi:-0}"
    else
        skip csi "no nvargus-daemon; name a sensor with --csi 0"
    fi
    [ -z "$v4l2" ] && [ -e /dev/video0 ] && v4l2=/dev/video0
    if [ -n "$v4l2" ]; then camera v4l2 "$v4l2"; else skip v4l2 "no /dev/video0; name one with --v4l2"; fi
    if [ -n "$rtsp" ]; then camera rtsp "$rtsp"; else skip rtsp "name one with --rtsp"; fi
}

"$trt_pose" doctor --json >"$out/doctor.json" 2>"$out/doctor.err"
if [ -z "$only" ]; then
    check native-parser "$python" -c 'import trt_pose_app._paf'
    check bench-cpu "$trt_pose" bench --model "$model" --backend cpu --frames 100 --json
    onnx_runtime
    check memory-stays-flat "$python" scripts/bench_pipeline.py --memory --model "$model" --frames 3000
fi
[ "$only" = cameras ] || all_engines
[ "$only" = engines ] || cameras

if [ -n "$dry" ]; then
    rm -r "$out"
    exit 0
fi
"$python" scripts/acceptance_report.py "$out"
echo "results in $out, the report to attach is $out/report.md"
exit $failed

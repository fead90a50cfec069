"""`python -m trt_pose_app` is `trt-pose`."""

from trt_pose_app.cli import main

main()

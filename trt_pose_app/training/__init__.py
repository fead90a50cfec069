"""Training of bottom-up pose networks on COCO-format keypoints. Needs the ``train`` extra; never used at run time."""

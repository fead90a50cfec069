"""How good a deployed model is: COCO AP, PCK, kinds of error, false people, thresholds, speed, and reports of them."""

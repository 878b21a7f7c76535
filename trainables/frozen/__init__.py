"""Bodies of networks that rest: their features of images, made once and shared by all trainings that need them."""

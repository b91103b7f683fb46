"""What Retake talks about: pure data that every other package may import and that imports none of them."""

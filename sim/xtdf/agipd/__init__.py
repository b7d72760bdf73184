"""AGIPD: two images for each pulse, analogue signal and digitised gain level; three gain stages."""

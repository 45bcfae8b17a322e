"""Photos to train and measure on: procedural scenes, folders of photos, and the degradations that label them."""

"""Duke IQA: five regions of a photo are looked at one by one, and raters' votes are foretold for the whole."""

/** Specs as exporters write them: of schema_version 1, with two labels and one reason; and of 2, good or poor. */

export const LABELS = `{
  "name": "imageqx",
  "inputs": [{"name": "image", "shape": [1, 224, 224, 3], "dtype": "uint8", "meaning": "sRGB, 0…255"}],
  "outputs": [
    {"name": "quality", "shape": [1, 2], "dtype": "float32", "meaning": ""},
    {"name": "explanations", "shape": [1, 1], "dtype": "float32", "meaning": ""},
    {"name": "attention", "shape": [1, 1, 7, 7], "dtype": "float32", "meaning": ""}
  ],
  "preprocessing": {"height": 224, "width": 224, "layout": "NHWC", "color_space": "sRGB", "resize": "stretch"},
  "labels": ["lesion", "poor_quality"],
  "reasons": ["blurry"],
  "thresholds": {"blurry": 0.25},
  "poor_quality_threshold": 0.5,
  "hints": {"blurry": "Hold the phone still"}
}`;

export const BINARY = `{
  "schema_version": 2,
  "name": "duke-iqa",
  "inputs": [{"name": "image", "shape": [1, 448, 336, 3], "dtype": "uint8"}],
  "outputs": [
    {"name": "good", "shape": [1, 1], "dtype": "float32"},
    {"name": "ranks", "shape": [1, 4], "dtype": "float32"},
    {"name": "regions", "shape": [1, 3], "dtype": "float32"}
  ],
  "preprocessing": {"height": 448, "width": 336, "resize_order": "horizontal-first", "mean": [0, 0, 0]},
  "binary": {
    "output": "good", "threshold": 0.6, "hint": "Take it again",
    "ranks": {"output": "ranks", "raters": 4, "good_when_at_least": 2},
    "regions": {"output": "regions", "threshold": 0.4, "parts": [
      {"name": "center", "left": 0.25, "top": 0.25, "width": 0.5, "height": 0.5, "hint": "The middle is bad"},
      {"name": "left", "left": 0, "top": 0, "width": 0.5, "height": 1, "hint": "The left half is bad"},
      {"name": "right", "left": 0.5, "top": 0, "width": 0.5, "height": 1, "hint": "The right half is bad"}
    ]}
  }
}`;

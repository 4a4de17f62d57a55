"""Draws docs/images/augmentation.jpg. Needs Pillow and scikit-image, for its astronaut (NASA, public domain).

python tools/draw_augmentation.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from drivetrain import augment

SIDE = 150
PATH = Path(__file__).parent.parent / "docs" / "images" / "augmentation.jpg"
STEPS = {
    "as it is": augment.Resize(SIDE),
    "RandomRotation": augment.RandomRotation((20, 20)),
    "RandomAffine": augment.RandomAffine(
        (-12, -12), (0.2, 0.2), (0.75, 0.75), (15, 15), fill_mode="reflect", seed=4
    ),
    "RandomPerspective": augment.RandomPerspective(0.7, p=1, seed=11),
    "ElasticTransform": augment.ElasticTransform(120, 7, seed=2),
    "RandomResizedCrop": augment.RandomResizedCrop(SIDE, scale=(0.25, 0.4), seed=1),
}


def main() -> None:
    whole = data.astronaut()[:400, 30:430]
    image, boxes = augment.Resize(SIDE)(whole, boxes=np.array([[135, 55, 265, 220]]))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x0, y0, x1, y1 = boxes[0]
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    mask[((x - (x0 + x1) / 2) / (x1 - x0) * 2) ** 2 + ((y - (y0 + y1) / 2) / (y1 - y0) * 2) ** 2 < 1] = 1
    sheet = Image.new("RGB", (len(STEPS) * (SIDE + 6) - 6, SIDE + 18), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (name, transform) in enumerate(STEPS.items()):
        made, layer, moved = transform(image, mask, boxes)
        shown = made.astype(np.float32)
        shown[layer > 0] = 0.65 * shown[layer > 0] + 0.35 * np.float32([40, 220, 90])
        left = place * (SIDE + 6)
        sheet.paste(Image.fromarray(shown.astype(np.uint8)), (left, 18))
        corners = moved[0] + np.array([left, 18, left - 1, 17])
        draw.rectangle(corners.tolist(), outline=(255, 210, 0), width=2)
        draw.text((left + 2, 3), name, fill="black")
    PATH.parent.mkdir(exist_ok=True)
    sheet.save(PATH, quality=82)
    print(f"{PATH}: {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

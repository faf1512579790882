"""Choose the guidance scale of the scenes models, on captions and seeds that no gate uses.

`python -m backends.bundled.train.guidance` prints what each scale draws; the choice stands in `cards.GUIDANCE`.
"""

import argparse

import numpy as np
import torch

from backends.bundled import folder, scene_detector
from backends.bundled.data import scenes as data

SCALES = (1.0, 1.5, 2.0, 3.0, 5.0)


def main() -> None:
    """Print the scores of each scale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["scenes", "scenes-ungrounded"])
    parser.add_argument("-n", type=int, default=100, help="captions a scale")
    options = parser.parse_args()
    torch.set_num_threads(1)
    from diffusers import StableDiffusionPipeline

    asked = data.captions([4242, 1], options.n, kinds={"relation": 1.0})
    texts = [each.text for each in asked]
    for name in options.names:
        pipeline = StableDiffusionPipeline.from_pretrained(folder(name), local_files_only=True, safety_checker=None)
        pipeline.set_progress_bar_config(disable=True)
        for scale in SCALES:
            chance = torch.Generator().manual_seed(4242)
            out = pipeline(texts, num_inference_steps=20, guidance_scale=scale, generator=chance, output_type="np")
            images = (out.images * 255).round().astype("uint8")
            fit = np.mean([each.fit for image in images for each in scene_detector.things(image).values()])
            found = scene_detector.summary(scene_detector.score(asked, images))
            print(f"{name} guidance {scale:g}: {found}, outlines {fit:.3f} (IoU with the shape)", flush=True)


if __name__ == "__main__":
    main()

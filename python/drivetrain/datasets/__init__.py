"""Real data to train on: sets of images, read with NumPy and the standard library, and a table.

Every function returns ``(images, labels), (images, labels)``, the training part and the test part, as Keras
does; with ``split="train"``, "test" or "all" one pair. Images are uint8 of shape (n, height, width,
channels), labels int64 of shape (n,). The two parts never overlap and together are "all".

============== =========================== ==================== ======================================
function       images                      pixel values         comes from
============== =========================== ==================== ======================================
digits         1,797 of 8 x 8 x 1          0 to 16              inside the package
mnist5k        5,000 of 28 x 28 x 1        0 to 255             ``pip install drivetrain[mnist5k]``
fashion_mnist  70,000 of 28 x 28 x 1       0 to 255             ``apt install dataset-fashion-mnist``
============== =========================== ==================== ======================================

``adult`` gives a table, as a pandas frame with labels: 32,561 people and whether they earn more than 50,000
dollars, out of ``pip install drivetrain[adult]``. ``photographs`` writes class folders of patches of 16
photographs (``pip install drivetrain[photographs]``), and ``nuclei`` gives tiles of a micrograph with masks.

Texts: ``movie_reviews`` (10,605 sentences and their scores), ``jargon_file`` (1.7 MB of English) and
``libreoffice_chinese`` (phrases and their translations). Time series: ``japanese_vowels`` and
``italy_power_demand``.
"""

from .cells import nuclei
from .census import adult
from .fashion import FASHION_CLASSES, fashion_mnist
from .idx import read_idx
from .jargon import jargon_file
from .mnist import mnist5k
from .patches import photographs
from .reviews import movie_reviews
from .series import italy_power_demand, japanese_vowels
from .translations import libreoffice_chinese
from .uci import digits

__all__ = [
    "FASHION_CLASSES",
    "adult",
    "digits",
    "fashion_mnist",
    "italy_power_demand",
    "japanese_vowels",
    "jargon_file",
    "libreoffice_chinese",
    "mnist5k",
    "movie_reviews",
    "nuclei",
    "photographs",
    "read_idx",
]

"""Text into numbers: cleaning, tokens, vocabularies, augmentation.

The loops over text are compiled, work on UTF-8 and on several threads; what comes out does not depend on
their number. Stems, Chinese words and byte pairs come from libraries that are optional: ``pip install
'drivetrain[text]'``.
"""

from . import stop_words as stop_words
from .augment import RandomDeletion as RandomDeletion
from .augment import RandomInsertion as RandomInsertion
from .augment import RandomSwap as RandomSwap
from .augment import SynonymReplacement as SynonymReplacement
from .augment import TextCompose as TextCompose
from .augment import TextTransform as TextTransform
from .augment import augmented as augmented
from .counting import TokenCounter as TokenCounter
from .normalizer import Normalizer as Normalizer
from .normalizer import strip_accents as strip_accents
from .normalizer import strip_html as strip_html
from .normalizer import strip_punctuation as strip_punctuation
from .plugins import BytePairTokenizer as BytePairTokenizer
from .plugins import JiebaTokenizer as JiebaTokenizer
from .plugins import Stemmer as Stemmer
from .tokenizers import ByteTokenizer as ByteTokenizer
from .tokenizers import CharacterTokenizer as CharacterTokenizer
from .tokenizers import RegexTokenizer as RegexTokenizer
from .tokenizers import Tokenizer as Tokenizer
from .tokenizers import WhitespaceTokenizer as WhitespaceTokenizer
from .tokenizers import WordTokenizer as WordTokenizer
from .tokenizers import ngrams as ngrams
from .tokenizers import split_sentences as split_sentences
from .vectorization import TextVectorization as TextVectorization
from .vocabulary import Vocabulary as Vocabulary
from .vocabulary import pad as pad

"""Scripts that are written without spaces, and those in which a character says as much as a word. Pure.

Each is a part of a character class of a regular expression: `rf"[{EAST_ASIAN}]+"`. Digits and punctuation are left out.
"""

from __future__ import annotations

from typing import Final

KANA: Final = "\u3040-\u30ff"
"""Japanese alone: syllables."""
KANA_AND_HAN: Final = f"{KANA}\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese and Japanese: no spaces, and a character is a word or a syllable."""
HANGUL: Final = "\uac00-\ud7af"
"""Korean: spaces between words, and a character is a syllable."""
THAI_AND_LAO: Final = "\u0e01-\u0e4e\u0e81-\u0ecd"
"""No spaces between words, and no mark at the end of a sentence."""
SOUTH_EAST_ASIAN: Final = f"{THAI_AND_LAO}\u1000-\u103e\u1780-\u17d3"
"""Thai, Lao, Burmese, Khmer: no spaces between words, and letters of an alphabet."""
EAST_ASIAN: Final = f"{KANA_AND_HAN}{HANGUL}"
"""A character says as much as two or three letters."""
WITHOUT_SPACES: Final = f"{KANA_AND_HAN}{SOUTH_EAST_ASIAN}"
"""What stands between two spaces is no word."""

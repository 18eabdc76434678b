"""The words of a text without what a site counts or times by itself. Pure.

Sites put counters ("Comments (12)"), ages ("12 min ago") and stamps ("Updated 18:05") into titles and summaries. They
change at every poll and mean nothing. A number in a sentence does: "12 killed" that becomes "14 killed" is a correction.
So a number is left out only where nothing else is said beside it: in a segment of its own (between line breaks, bars,
brackets, dashes or sentences) that consists of the number and of words for what is counted or timed. What is in doubt
stays: a counter too many costs a version, a number too few a correction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ingest.calendar_names import plain

LABEL_CHARS: Final = 60
"""A longer segment is no counter or stamp."""
LABEL_WORDS: Final = 6
"""Words, the number included, of an age at the end of a headline."""

_SEPARATOR: Final = re.compile(
    r"[\n\t|·•∙‧●▪()\[\]{}«»（）【】…–—]+"  # bars, brackets, dashes
    r"|(?<=[.!?。！？؟।])[\s»”\"]+(?=[^\W_a-zа-яёα-ωà-ÿ])"  # sentences, as far as a capital letter tells
    r"|(?<=[。！？])"
    r"|(?<=\s)[-/:]+(?=\s)"
)
_COUNT_IN_BRACKETS: Final = re.compile(r"[(\[（]\s*(\d[\d.,٬٫]*\s?[km]?)\s*[)\]）]", re.IGNORECASE)
_LETTER: Final = r"(?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0e31\u0e34-\u0e4e])"
_TOKEN: Final = re.compile(rf"\d+(?:[.,:'’٬٫\u00a0\u202f ]\d+)*|{_LETTER}+|[👍👎❤♥♡💬👁🔁🗨]")
_DIGIT: Final = re.compile(r"\d")
_EAST_ASIAN: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# fmt: off
_COUNTED: Final = frozenset(
    """
    view views vue vues vu lu like likes share shares reply replies response responses reaction reactions partage
    partages visite visites visita visitas visite curtida curtidas lectura lecturas aime jaime me gusta vistas vista
    leituras letture visto read reads antwort antworten aufrufe aufruf gelesen geteilt respuesta respuestas risposta
    risposte resposta respostas reponse reponses antwoorden reacties reactie delningar visningar svar deling delinger
    odpoved odpovedi odpowiedzi udostepnien wyswietlen wyswietlenia odslon zobrazeni precteno sdileni okunma goruntulenme
    begeni paylasim yanit просмотр просмотра просмотров просмотры перегляд перегляди переглядів прочитали ответ ответа
    ответов відповідь відповіді лаик лаика лаиков репост репоста репостов مشاهدة مشاهدات المشاهدات قراءة القراءات إعجاب
    مشاركة مشاركات بازدید لایک پسند צפיות תגובה תגובות שיתופים προβολεσ προβολη hits hit klicks clics lượt xem luot
    komen ulasan dilihat dibaca maoni 👍 👎 ❤ ♥ ♡ 💬 👁 🔁 🗨
    评论 評論 留言 跟帖 阅读 閱讀 浏览 瀏覽 点赞 赞 分享 转发 コメント 閲覧 閲覧数 いいね シェア 댓글 조회 조회수 공감 좋아요 의견
    """.split()
)
"""What sites count, in the plain form of `calendar_names.plain`. Votes are not among it: those are counted in news too."""
_COUNTED_STEMS: Final = (
    "comment", "kommentar", "kommentti", "kommenttia", "kommentaar", "komment", "comentari", "commento", "commenti",
    "koment", "coment", "opmerking", "yorum", "комментари", "коментар", "коментарі", "каментар", "σχολι", "تعليق",
    "التعليق", "تعلیق", "تبصر", "دیدگاه", "نظرات", "टिप्पण", "মন্তব্য", "ความคิดเห็น", "hozzaszol", "visualizza",
    "visualiza", "reaktion", "reakcj", "reakc", "реакци", "binh",
)
_NONE: Final = frozenset(
    """
    no zero none kein keine aucun aucune sin ningun nessun nessuno nenhum sem geen inga ingen ei ingenting brak zadne
    zadnych bez niciun fara нет немає няма без κανενα لا بدون هیچ yok hic 无 暂无 没有 なし 없음 belum tidak hakuna khong
    one a an un uno una une ein eine einen een en один jeden ένα bir 1
    """.split()
)
_BESIDE: Final = frozenset(
    """
    k m mio mil mld tsd tys тыс млн b total all yet noch encore aun ancora ainda user reader readers people persons
    of new the this be first to add leave post your and und et y e i и та لا
    条 條 件 个 個 개 건 人 次 则 則 的 の 共 有 篇 回 数 數 명 luan
    """.split()
)
_UPDATED: Final = frozenset(
    """
    updated update posted published modified aktualisiert aktualisierung stand zuletzt geandert veroffentlicht
    actualise publie modifie jour maj actualizado actualizada publicado aggiornato aggiornata pubblicato atualizado
    atualizada bijgewerkt gewijzigd geplaatst uppdaterad publicerad opdateret oppdatert publisert julkaistu paivitetty
    zaktualizowano aktualizacja aktualizacji aktualizovano aktualizace aktualizovane frissitve actualizat azurirano
    posodobljeno обновлено обновлен обновление оновлено оновлення опубликовано опубліковано обновена актуализирана
    ажурирано ενημερωθηκε ενημερωση guncelleme guncellendi تحديث آخر نشر بروزرسانی روزرسانی به روز شده diperbarui
    dikemaskini imesasishwa עודכן עדכון अपडेट 更新 最終更新 更新于 업데이트 수정 입력 発表 发布 发布于
    """.split()
)
_BESIDE_A_STAMP: Final = frozenset(
    """
    last uhr um am pm at on the letzte letzte h a le mis derniere mise ultima ultimo actualizacion aggiornamento el las
    alle ore il laatst om op senast sist kl den den o godz dnia saat son в о от у г год utc gmt cet cest est edt bst msk
    ist kst jst by of zum vom the d и în la ora στις اخر آخر آخرین في الساعة 年 月 日 時 时 分 년 월 일 시 분 오전 오후 今天 今日
    """.split()
)
# Of CLDR's past relative times ("{0} minutes ago") in the locales of `calendar_names`: words that stand in those of one
# unit, and those that stand with all. A test holds them to `babel`, which takes half a second to load.
_HOURS: Final = frozenset(
    """
    awa awanni c dakika dakiku daqiiqad daqiiqadood detik dk dqqd dtk g giay gio godz godzin godzine godziny h
    heure heures hodinami hodinou hodiny hora horas hores hour hours hr hrs ilbiriqsi ilbrqsi jam m masodperccel
    menit min minit mins minti mintuna minuciu minut minuta minutama minutami minute minutem minuten minuter minutes
    minuti minuto minutos minutou minuts minutt minutter minutu minuty minuut minuutti minuuttia mnt ora oraja
    oraval ore perccel perce phut s sa saa saacad saacadood saat saniye sat sata sati scd sec secs second seconde
    seconden secondes secondi secondo seconds secunda secunde seg segon segons segundo segundos sek sekonda
    sekonde sekund sekundama sekundami sekunde sekundem sekunden sekunder sekundes sekundi sekundo sekundou
    sekundu sekundy sekundziu sekunti sekuntia sen sn st std stundam stundas stunde stunden t ta tim timar time
    timer timmar timme tunni tunti tuntia urama urami uro uur val valanda valandas valandos valandu ya δ δευτ
    δευτερολεπτα δευτερολεπτο λ λεπ λεπτα λεπτο ω ωρα ωρεσ год годин години годину мин минут минута минути
    минуту минуты с сата сати сек секунд секунда секунде секунди секунду секунды хв хвилин хвилини хвилину ч час
    часа часов דק דקה דקות שנ שניות שנייה שע שעה שעות שעתיים שתי ثانية ثانيتين ثانیه ثوان دقائق دقيقة دقيقتين
    دقیقه ساعات ساعة ساعت ساعتين سیکنڈ منٹ گھنٹہ گھنٹے घं घंटे मि मिनट से सेकंड ঘন্টা মিনিট সেকেন্ড ชม
    ชั่วโมงที่ผ่านมา นาทีที่ผ่านมา นาทีที่แล้ว วินาทีที่ผ่านมา วินาทีที่แล้ว 分前 分钟前 分鐘前 小时前 小時前 時間前 秒前 秒钟前
    秒鐘前 분 시간 초 분전 시간전 초전
    """.split()
)
_DAYS: Final = frozenset(
    """
    aga d dag dagar dage dagen dan dana day days de dgn dia dias diena dienam dienas dienos dienu dies dite dna
    dnami dne dnem dnevi dnevom dnevoma dni dnia dnom dny dzien døgn gara gg giorni giorno gun hari j jour jours
    kwana kwanaki maalin maalmood mlmd mln n napja nappal ngay p paeva paiva paivaa pv siku tag tagen ubochi zi
    zile ημ ημερα ημερεσ д дана ден дена день дн днеи дни дня дні днів אתמול יום יומיים ימים أيام ا دن دنوں روز
    واحد يوم يومين दिन দিন วันที่ผ่านมา วันที่แล้ว 天前 日前 일 일전
    """.split()
)
_AGO: Final = frozenset(
    """
    acum urma ago eest tagasi ezelott fa gabata geleden ha hace iliyopita zilizopita kahor khr lalu once pare pirms pre
    pred pries prije sedan sidan siden sitten temu truoc vor y πριν назад пр пре пред преди тому לפני قبل منذ پہلے پیش पहले
    পূর্বে আগে 전 awanni awa kwanaki minti suka
    """.split()
)
_BESIDE_AN_AGE: Final = frozenset(
    """
    a about an circa ca da de environ etwa for ha il me mehr more not one over seit than ungefahr unos y yang ya in απο
    واحدة около примерно близько ที่แล้ว la us
    """.split()
)
# fmt: on
_WORDS_OF_AGE: Final = _HOURS | _DAYS | _AGO | _BESIDE_AN_AGE
_GLUED: Final = re.compile(r"[前전]$|ที่แล้ว$|ที่ผ่านมา$")
"""Where the number stands before one word that says both the unit and "ago"."""


def words(text: str) -> str:
    """What `text` says, blanks folded and without counters, ages and stamps: equal for texts that say the same."""
    if not text:
        return ""
    text = _COUNT_IN_BRACKETS.sub(r" \1 ", text)
    parts = (part for part in _SEPARATOR.split(text) if part and not part.isspace())
    return " ".join(" ".join(said.split()) for part in parts if (said := _said(part)))


def _said(segment: str) -> str:
    """The segment without a counter, age or stamp: nothing where it is one."""
    if len(segment) <= LABEL_CHARS and _is_label(segment):
        return ""
    return _without_age(segment) if _DIGIT.search(segment) else segment


@lru_cache(maxsize=10_000)  # the same few labels stand under all articles of a feed
def _is_label(segment: str) -> bool:
    said = list(_words_of(segment))
    has_number = bool(_DIGIT.search(segment))
    return bool(said) and (_is_counter(said, has_number) or (has_number and (_is_age(said) or _is_stamp(said))))


_plain = lru_cache(maxsize=50_000)(plain)


def _tokens(segment: str) -> Iterator[str]:
    for found in _TOKEN.finditer(segment):
        yield _plain(found.group()) or found.group()


def _is_counter(said: list[str], has_number: bool) -> bool:
    counted = [token for token in said if _is_counted(token)]
    others = [token for token in said if not _is_counted(token)]
    none = any(token in _NONE for token in others)
    return bool(counted) and (has_number or none) and all(token in _NONE or token in _BESIDE for token in others)


def _is_counted(token: str) -> bool:
    if token in _COUNTED or token.startswith(_COUNTED_STEMS):
        return True
    return bool(_EAST_ASIAN.match(token)) and token.strip("条條件个個的の数數") in _COUNTED


def _is_age(said: list[str]) -> bool:
    has_ago = any(token in _AGO or _GLUED.search(token) for token in said)
    has_unit = any(token in _HOURS or token in _DAYS for token in said)
    known = (token in _WORDS_OF_AGE or token in _UPDATED or token in _BESIDE_A_STAMP for token in said)
    return has_ago and has_unit and all(known)


def _is_stamp(said: list[str]) -> bool:
    if not any(token in _UPDATED for token in said):
        return False
    return all(token in _UPDATED or token in _BESIDE_A_STAMP or _names_a_day(token) for token in said)


def _names_a_day(token: str) -> bool:
    from ingest.calendar_names import months, weekdays

    return bool(months(token, None) or weekdays(token, None))


def _without_age(segment: str) -> str:
    """A headline without the age before or behind it: "12 min ago: …", "… in Brussels 12 min ago".

    A sentence, which ends in a stop, stays as it is.
    """
    first, colon, rest = segment.partition(": ")
    if colon and len(first) <= LABEL_CHARS and _DIGIT.search(first) and _is_age(list(_words_of(first))):
        segment = rest
    at = max(0, len(segment) - LABEL_CHARS)
    if not _DIGIT.search(segment, at):
        return segment
    found = list(_TOKEN.finditer(segment, at))
    last = _plain(found[-1].group())
    is_abbreviated = last in _HOURS  # "vor 12 Min."
    if last not in _WORDS_OF_AGE and not _GLUED.search(last):
        return segment
    if segment[found[-1].end() :].strip() not in ("", "." * is_abbreviated):
        return segment
    run = _age_at_the_end([_plain(token.group()) for token in found])
    return segment[: found[-run].start()].rstrip(" ,;:-") if run else segment


def _words_of(segment: str) -> Iterator[str]:
    return (token for token in _tokens(segment) if not token[0].isdigit())


def _age_at_the_end(tokens: list[str]) -> int:
    """How many of the last tokens are an age in seconds, minutes or hours; 0: none."""
    run, numbers = 0, 0
    for token in reversed(tokens[-LABEL_WORDS:]):
        is_number = token[:1].isdigit()
        numbers += is_number
        if numbers > 1 or not (is_number or token in _WORDS_OF_AGE):
            break
        run += 1
    for length in range(2, run + 1):
        age = tokens[-length:]
        said = [token for token in age if not token[:1].isdigit()]
        begins = age[0][:1].isdigit() or age[0] in _AGO or age[0] == "il"
        if begins and len(said) < length and _is_age(said) and any(token in _HOURS for token in said):
            return length
    return 0

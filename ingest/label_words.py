"""The words of counters, ages and stamps, in the languages of the world's news. Data of `ingest.wording`.

All are in the plain form of `calendar_names.plain`: without case, dots, and the accents of Latin, Greek and Cyrillic.
"""

from __future__ import annotations

from typing import Final

from ingest.calendar_names import plain


def _set(listed: str) -> frozenset[str]:
    return frozenset(plain(word) or word for word in listed.split())


COUNTED: Final = _set(
    """
    view views vue vues vu lu like likes share shares reply replies response responses reaction reactions partage
    partages visite visites visita visitas curtida curtidas lectura lecturas aime jaime me gusta vistas vista
    leituras letture visto read reads antwort antworten aufrufe aufruf gelesen geteilt respuesta respuestas
    risposta risposte resposta respostas reponse reponses antwoorden reacties reactie delningar visningar svar
    deling delinger odpoved odpovedi odpowiedzi udostepnien wyswietlen wyswietlenia odslon zobrazeni precteno
    sdileni okunma goruntulenme begeni paylasim yanit просмотр просмотра просмотров просмотры перегляд перегляди
    переглядів прочитали ответ ответа ответов відповідь відповіді лаик лаика лаиков репост репоста репостов مشاهدة
    مشاهدات المشاهدات قراءة القراءات إعجاب مشاركة مشاركات بازدید لایک پسند צפיות תגובה תגובות שיתופים προβολεσ
    προβολη hits hit klicks clics lượt xem luot komen ulasan dilihat dibaca maoni 👍 👎 ❤ ♥ ♡ 💬 👁 🔁 🗨 评论 評論
    留言 跟帖 阅读 閱讀 浏览 瀏覽 点赞 赞 分享 转发 コメント 閲覧 閲覧数 いいね シェア 댓글 조회 조회수 공감
    좋아요 의견
    """
)
"""What sites count. Votes are not among it: those are counted in news too."""
NONE: Final = _set(
    """
    no zero none kein keine aucun aucune sin ningun nessun nessuno nenhum sem geen inga ingen ei ingenting brak
    zadne zadnych bez niciun fara нет немає няма без κανενα لا بدون هیچ yok hic 无 暂无 没有 なし 없음 belum tidak
    hakuna khong one a an un uno una une ein eine einen een en один jeden ένα bir 1
    first premier primo primero erste первым
    """
)
"""For no number."""
BESIDE: Final = _set(
    """
    k m mio mil mld tsd tys тыс млн b total all yet noch encore aun ancora ainda user reader readers people
    persons of new the this be first to add leave post your and und et y e i и та لا 条 條 件 个 個 개 건 人 次 则
    則 的 の 共 有 篇 回 数 數 명 luan
    by so far times mal fois veces volte vezes keer ganger razy раз разів kez مرة
    """
)
"""May stand in a counter."""
UPDATED: Final = _set(
    """
    updated update posted published modified aktualisiert aktualisierung stand zuletzt geandert veroffentlicht
    actualise publie modifie jour maj actualizado actualizada publicado aggiornato aggiornata pubblicato
    atualizado atualizada bijgewerkt gewijzigd geplaatst uppdaterad publicerad opdateret oppdatert publisert
    julkaistu paivitetty zaktualizowano aktualizacja aktualizacji aktualizovano aktualizace aktualizovane
    frissitve actualizat azurirano posodobljeno обновлено обновлен обновление оновлено оновлення опубликовано
    опубліковано обновена актуализирана ажурирано ενημερωθηκε ενημερωση guncelleme guncellendi تحديث آخر نشر
    بروزرسانی روزرسانی به روز شده diperbarui dikemaskini imesasishwa עודכן עדכון अपडेट 更新 最終更新 更新于
    업데이트 수정 입력 発表 发布 发布于
    """
)
"""Begins a stamp."""
BESIDE_A_STAMP: Final = _set(
    """
    last uhr um am pm at on the letzte h a le mis derniere mise ultima ultimo actualizacion aggiornamento el las
    alle ore il laatst om op senast sist kl den o godz dnia saat son в о от у г год utc gmt cet cest est edt bst
    msk ist kst jst by of zum vom d и în la ora στις اخر آخر آخرین في الساعة 年 月 日 時 时 分 년 월 일 시 분 오전
    오후 今天 今日
    """
)
"""May stand in a stamp, beside numbers and the names of days and months."""
HOURS: Final = _set(
    """
    awa awanni c dakika dakiku daqiiqad daqiiqadood detik dk dqqd dtk g giay gio godz godzin godzine godziny h
    heure heures hodinami hodinou hodiny hora horas hores hour hours hr hrs ilbiriqsi ilbrqsi jam m masodperccel
    menit min minit mins minti mintuna minuciu minut minuta minutama minutami minute minutem minuten minuter
    minutes minuti minuto minutos minutou minuts minutt minutter minutu minuty minuut minuutti minuuttia mnt ora
    oraja oraval ore perccel perce phut s sa saa saacad saacadood saat saniye sat sata sati scd sec secs second
    seconde seconden secondes secondi secondo seconds secunda secunde seg segon segons segundo segundos sek
    sekonda sekonde sekund sekundama sekundami sekunde sekundem sekunden sekunder sekundes sekundi sekundo
    sekundou sekundu sekundy sekundziu sekunti sekuntia sen sn st std stundam stundas stunde stunden t ta tim
    timar time timer timmar timme tunni tunti tuntia urama urami uro uur val valanda valandas valandos valandu ya
    δ δευτ δευτερολεπτα δευτερολεπτο λ λεπ λεπτα λεπτο ω ωρα ωρεσ год годин години годину мин минут минута минути
    минуту минуты с сата сати сек секунд секунда секунде секунди секунду секунды хв хвилин хвилини хвилину ч час
    часа часов דק דקה דקות שנ שניות שנייה שע שעה שעות שעתיים שתי ثانية ثانيتين ثانیه ثوان دقائق دقيقة دقيقتين
    دقیقه ساعات ساعة ساعت ساعتين سیکنڈ منٹ گھنٹہ گھنٹے घं घंटे मि मिनट से सेकंड ঘন্টা মিনিট সেকেন্ড ชม
    ชั่วโมงที่ผ่านมา นาทีที่ผ่านมา นาทีที่แล้ว วินาทีที่ผ่านมา วินาทีที่แล้ว 分前 分钟前 分鐘前 小时前 小時前
    時間前 秒前 秒钟前 秒鐘前 분 시간 초 분전 시간전 초전
    dəqiqə klst klukkustund klukkustundum minutum oras saniyə sekondes sekundum u гадз гадзін гадзіну гадзіны
    минутын мүн мүнөт саат сағ сағат секундын хвілін хвіліну хвіліны ц цагиин ժ ժամ վայրկյան վրկ ր րոպե ثانيه
    ثانيې دقيقه دقيقې ساعتونه საათის სთ წამის წთ წმ წუთის
    """
)
"""Seconds, minutes and hours, as they stand in CLDR's past relative times ("{0} minutes ago") in the locales of
`calendar_names`, and some more. A test holds them to `babel`, which takes half a second to load."""
DAYS: Final = _set(
    """
    aga d dag dagar dage dagen dan dana day days de dgn dia dias diena dienam dienas dienos dienu dies dite dna
    dnami dne dnem dnevi dnevom dnevoma dni dnia dnom dny dzien døgn gara gg giorni giorno gun hari j jour jours
    kwana kwanaki maalin maalmood mlmd mln n napja nappal ngay p paeva paiva paivaa pv siku tag tagen ubochi zi
    zile ημ ημερα ημερεσ д дана ден дена день дн днеи дни дня дні днів אתמול יום יומיים ימים أيام ا دن دنوں روز
    واحد يوم يومين दिन দিন วันที่ผ่านมา วันที่แล้ว 天前 日前 일 일전
    araw dae degi dogum na дзен дзень күн өдриин օր ورځ ورځې დღის
    """
)
"""Days, likewise."""
NOW: Final = _set(
    """
    just now gerade eben soeben jetzt instant a l maintenant ahora mismo ora adesso agora mesmo zojuist nu teraz przed
    chwila prave ted только что сеичас щоино зараз τωρα az once simdi الآن للتو اکنون 刚刚 剛剛 たった今 방금 방금전
    """
)
"""Say of an age that it is none yet."""
AGO: Final = _set(
    """
    acum urma ago eest tagasi ezelott fa gabata geleden ha hace iliyopita zilizopita kahor khr lalu once pare
    pirms pre pred pries prije sedan sen ที่แล้ว sidan siden sitten temu truoc vor y πριν назад пр пре пред преди тому לפני
    قبل منذ پہلے پیش पहले পূর্বে আগে 전 awanni awa kwanaki minti suka
    ang fyrir gelede hai nakalipas oncə бұрын мурун таму өмнө առաջ مخکې წინ
    """
)
"""Makes of a time span an age."""
BESIDE_AN_AGE: Final = _set(
    """
    a about an circa ca da de environ etwa for ha il me mehr more not one over seit than ungefahr unos y yang ya
    in απο واحدة около примерно близько ที่แล้ว la us
    einer einem eine une una un uma um een ett en jedna одну только μια μία
    """
)
"""May stand in an age."""
COUNTED_STEMS: Final = tuple(
    _set(
        """
        comment kommentar kommentti kommenttia kommentaar komment comentari commento commenti koment coment
        opmerking yorum комментари коментар коментарі каментар σχολι تعليق التعليق تعلیق تبصر دیدگاه نظرات
        टिप्पण মন্তব্য ความคิดเห็น hozzaszol visualizza visualiza reaktion reakcj reakc реакци binh
        """
    )
)
"""How further words for what sites count begin."""

"""Headlines and leads of two events, in languages that share few words, and of a third that is like the first."""

from __future__ import annotations

from typing import Final

FERRY: Final = {
    "en": (
        "Ferry with 140 aboard sinks off the island of Tarn",
        "A ferry carrying 140 passengers capsized in a storm off the island of Tarn on Monday night. Coastguards pulled"
        " ninety people from the water; dozens are still missing.",
    ),
    "fr": (
        "Naufrage d'un ferry avec 140 passagers au large de l'île de Tarn",
        "Un ferry transportant 140 personnes a chaviré lundi soir dans la tempête au large de l'île de Tarn. Les"
        " garde-côtes ont secouru quatre-vingt-dix passagers, des dizaines d'autres sont portés disparus.",
    ),
    "ru": (
        "Паром со 140 пассажирами затонул у острова Тарн",
        "Паром, на борту которого находились 140 человек, перевернулся во время шторма у острова Тарн в понедельник"
        " вечером. Спасатели подняли из воды девяносто человек, десятки пропали без вести.",
    ),
    "zh": (
        "载有140人的渡轮在塔恩岛附近沉没",
        "周一晚间，一艘载有140名乘客的渡轮在塔恩岛附近海域遭遇风暴倾覆。海岸警卫队已救起九十人，仍有数十人失踪。",
    ),
}
BUDGET: Final = {
    "en": (
        "Parliament passes the defence budget after a night of debate",
        "Parliament approved a defence budget of 12 billion on Tuesday, three months late. Two parties of the coalition"
        " voted against it, and the finance minister offered to resign.",
    ),
    "fr": (
        "Le parlement adopte le budget de la défense après une nuit de débats",
        "Les députés ont approuvé mardi un budget de la défense de 12 milliards, avec trois mois de retard. Deux partis"
        " de la coalition ont voté contre, et le ministre des finances a offert sa démission.",
    ),
}

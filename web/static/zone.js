// Tells the server the reader's zone, in which it counts days, before anything is shown. A page whose days were meant in
// another zone is asked for once more: the server names that zone on answers to a GET alone, never on those to a form.
"use strict";

(() => {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const told = `newswatch-zone=${own}`;
  // Of several with the name, as of another newswatch above this path, the first is this path's own: the server's, too.
  const isTold = () => document.cookie.split("; ").find((one) => one.startsWith("newswatch-zone=")) === told;
  try {
    if (!isTold()) {
      const secure = window.location.protocol === "https:" ? "; secure" : "";
      const path = new URL("..", document.currentScript.src).pathname;
      document.cookie = `${told}; path=${path}; max-age=31536000; samesite=lax${secure}`;
    }
    const meant = document.documentElement.dataset.days;
    const isOther = meant !== undefined && (meant || "UTC") !== own;
    const [visit] = performance.getEntriesByType("navigation");
    if (isOther && isTold() && visit && visit.type !== "reload") window.location.reload();
  } catch (error) {
    console.info("Cookies are forbidden here; days stay in UTC, as the page says.", error);
  }
})();

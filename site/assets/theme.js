// Before anything is painted: the look that was chosen here, if one was.
(() => {
  try {
    const chosen = localStorage.getItem("bnet-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch { /* a browser that keeps nothing shows what it prefers */ }
})();

// Beside each command and each file that may be copied: a button that does.
(() => {
  "use strict";
  const copy = async (from) => {
    try {
      await navigator.clipboard.writeText(from.textContent);
    } catch { // no clipboard for pages like this one: the old way
      getSelection().selectAllChildren(from);
      if (!document.execCommand("copy")) return "Select it";
    }
    return "Copied";
  };
  const offer = () => {
    for (const each of document.querySelectorAll(".copy:not([data-offered])")) {
      each.dataset.offered = "";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy ${each.textContent.trim().slice(0, 80)}`);
      button.setAttribute("aria-live", "polite");
      button.addEventListener("click", async () => {
        button.textContent = await copy(each);
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      each.after(" ", button);
    }
  };
  offer();
  document.addEventListener("bnet-updated", offer);
})();

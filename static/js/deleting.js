// Asks before an analysis is deleted, in a dialog over the page one is on. What deleting means is said by the
// server, on the page that asks where there is no script; the dialog shows that page's words.
import { post } from "./requests.js";

/**
 * Ask, and delete if that is what the person wants.
 *
 * @param {string} address of the analysis
 * @param {HTMLElement} opener gets the focus back
 * @returns {Promise<boolean>} whether it was deleted
 */
export async function askToDelete(address, opener) {
  const answer = await fetch(`${address}/delete`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const words = page.querySelector("main > section");
  const dialog = document.createElement("dialog");
  dialog.className = "asking";
  dialog.setAttribute("aria-labelledby", "what");
  dialog.append(document.importNode(words, true));
  document.body.append(dialog);
  const form = dialog.querySelector("form");
  const keep = dialog.querySelector("[data-keep]") ?? dialog.querySelector("a"); // a refusal has other links
  return new Promise((resolve) => {
    let deleted = false;
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener?.isConnected) opener.focus();
      resolve(deleted);
    });
    keep?.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.close();
    });
    form?.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await post(form.action);
        deleted = true;
        dialog.close();
      } catch (problem) {
        const line = document.createElement("p");
        line.className = "problem";
        line.setAttribute("role", "alert");
        line.textContent = problem.message;
        form.parentElement.before(line);
      }
    });
    dialog.showModal();
    keep?.focus(); // the harmless one
  });
}

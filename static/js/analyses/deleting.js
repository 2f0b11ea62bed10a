// Asks for confirmation before an analysis is deleted, in a dialog over the current page. The server explains the
// consequences on its own page, for browsers without scripts; the dialog shows the text of that page.
import { _ } from "../language.js";
import { analysisAddress, send } from "../requests.js";

/** The content of the confirmation page as an element. Throws an error with a message if there is none. */
async function question(id) {
  const answer = await fetch(`/analyses/${id}/delete`).catch(() => null);
  // Whoever is no longer signed in is redirected to another page.
  const page = answer && !answer.redirected && new DOMParser().parseFromString(await answer.text(), "text/html");
  const section = page && page.querySelector("main > section");
  if (!section) throw new Error(_("Reelproof did not answer."));
  return document.importNode(section, true);
}

function dialogAround(section) {
  const dialog = document.createElement("dialog");
  dialog.className = "asking";
  section.querySelector("h1").id = "deleting-what"; // its own: the page below may have that of the page it comes from
  dialog.setAttribute("aria-labelledby", "deleting-what");
  section.removeAttribute("aria-labelledby");
  dialog.append(section);
  return dialog;
}

function complain(form, message) {
  const line = document.createElement("p");
  line.className = "problem";
  line.setAttribute("role", "alert");
  line.textContent = message;
  form.closest("dialog").querySelector(".problem")?.remove();
  form.parentElement.before(line);
}

/**
 * Ask, and delete after confirmation. Throws an error with a message if it cannot ask.
 *
 * @param {string} id of the analysis
 * @param {HTMLElement} opener gets the focus back
 * @returns {Promise<boolean>} whether it was deleted
 */
export async function askToDelete(id, opener) {
  const dialog = dialogAround(await question(id));
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
        await send(analysisAddress(id), { method: "DELETE" });
        deleted = true;
        dialog.close();
      } catch (problem) {
        complain(form, problem.message);
      }
    });
    dialog.showModal();
    keep?.focus(); // the harmless one
  });
}

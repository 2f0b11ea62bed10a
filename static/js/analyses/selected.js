// What is done with several analyses of the library at once: reports, a spreadsheet, a case, deletion.

import { byId, el } from "../dom.js";
import { _, ngettext } from "../language.js";
import { analysisAddress, send } from "../requests.js";

const AGAIN = 5; // seconds, where the server does not say when to ask again
const DELETABLE = ["done", "failed", "cancelled", "paused"];

/** Save a report, which is made first where none is kept: others wait in the same line. */
async function saveReport({ id, analysis, file }) {
  for (;;) {
    const answer = await fetch(`${analysis}/report.pdf`, { headers: { Accept: "application/pdf" } }).catch(() => null);
    if (answer?.status === 503) {
      await new Promise((settle) => { setTimeout(settle, 1000 * (Number(answer.headers.get("Retry-After")) || AGAIN)); });
      continue;
    }
    if (!answer?.ok) throw new Error(_("The report of %(file)s could not be made.", { file }));
    const named = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
    const address = URL.createObjectURL(await answer.blob());
    el("a", { href: address, download: named?.[1] ?? `${id}.pdf` }).click();
    URL.revokeObjectURL(address);
    return;
  }
}

/** Ask whether these analyses may be deleted. */
function confirmed(rows, opener) {
  const dialog = el("dialog", { class: "asking", "aria-labelledby": "deleting-what" });
  return new Promise((resolve) => {
    const keep = el("button", { type: "button", onclick: () => dialog.close() }, _("Keep them"));
    dialog.append(el("section", { class: "card" },
      el("h1", { id: "deleting-what" }, ngettext("Delete 1 analysis?", "Delete %(num)s analyses?", rows.length)),
      el("ul", {}, ...rows.map(({ file }) => el("li", {}, file))),
      el("p", {}, _("Results, reports and annotations are deleted, and each exhibit that no other analysis needs. The custody log stays.")),
      el("div", { class: "actions" },
        el("button", { type: "button", class: "danger", onclick: () => dialog.close("delete") }, _("Delete")), keep)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      opener.focus();
      resolve(dialog.returnValue === "delete");
    });
    document.body.append(dialog);
    dialog.showModal();
    keep.focus();
  });
}

/**
 * Connect the buttons of the bar below the list.
 *
 * @param {() => DOMStringMap[]} selected the data of the selected rows
 * @param {(words: string) => void} tell shows how far it is
 */
export function actOnSelected(selected, tell) {
  const reports = byId("selected-reports");
  reports?.addEventListener("click", async () => {
    const rows = selected().filter(({ state }) => state === "done");
    reports.disabled = true;
    try {
      for (const [index, row] of rows.entries()) {
        tell(_("Report %(number)s of %(count)s is being made.", { number: index + 1, count: rows.length }));
        await saveReport(row);
      }
      tell(ngettext("1 report was saved.", "%(num)s reports were saved.", rows.length));
    } catch (problem) {
      tell(problem.message);
    }
    reports.disabled = false;
  });
  byId("selected-case")?.addEventListener("submit", (event) => {
    const form = event.currentTarget;
    for (const old of form.querySelectorAll("[name=analysis]")) old.remove();
    form.append(...selected().map(({ id }) => el("input", { type: "hidden", name: "analysis", value: id })));
  });
  const remove = byId("selected-delete");
  remove?.addEventListener("click", async () => {
    const rows = selected();
    if (!await confirmed(rows, remove)) return;
    let deleted = 0;
    try {
      for (const { id } of rows) {
        await send(analysisAddress(id), { method: "DELETE" });
        deleted += 1;
      }
    } catch (problem) {
      if (!deleted) {
        tell(problem.message);
        return;
      }
    }
    const here = new URL(window.location.href);
    here.searchParams.set("deleted", deleted);
    window.location.assign(here);
  });
}

/** Show which actions suit the selected rows. */
export function offerActions(rows) {
  const isFree = rows.every(({ free, state }) => free !== undefined && DELETABLE.includes(state));
  const offer = (id, fits) => { if (byId(id)) byId(id).hidden = !fits; };
  offer("selected-reports", rows.some(({ state }) => state === "done"));
  offer("selected-case", rows.every(({ free }) => free !== undefined));
  offer("selected-delete", isFree);
  const link = byId("selected-export");
  if (link) link.search = new URLSearchParams({ ids: rows.map(({ id }) => id).join(",") });
}

// Keeps rows of unfinished analyses up to date; a finished one brings its verdict with a reload.

import { follow } from "./follow.js";

const LOOK_AGAIN = 3000;

for (const row of document.querySelectorAll("tr[data-analysis]")) {
  if (row.dataset.state !== "queued" && row.dataset.state !== "running") continue;
  const words = row.querySelector("[data-standing]");
  follow(`${row.dataset.analysis}/state.json`, {
    onStatus: (status) => {
      words.textContent = status.state === "running"
        ? `Running, ${Math.floor(status.progress * 100)}%`
        : "Queued";
    },
    onEnd: () => window.location.reload(),
  });
}

// On the first start the list is empty until the sample has been made, or is promised no longer.
async function lookForSample() {
  const answer = await fetch(window.location.href, { cache: "no-store" }).catch(() => null);
  if (answer?.ok && !(await answer.text()).includes("data-expects-sample")) window.location.reload();
  else setTimeout(lookForSample, LOOK_AGAIN);
}
if (document.querySelector("[data-expects-sample]")) setTimeout(lookForSample, LOOK_AGAIN);

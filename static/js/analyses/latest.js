// Keeps the latest analyses on the start page up to date, and shows the sample of the first start once it is there.

import { follow } from "./follow.js";
import { percentDone } from "../language.js";
import { analysisAddress } from "../requests.js";
import { runningWords } from "./time_left.js";

const LOOK_AGAIN = 3000;
const followed = new Set();

/** Take the list as the server has it now, with the notice of the sample. */
async function renew() {
  const answer = await fetch(window.location.href, { cache: "no-store" }).catch(() => null);
  if (answer?.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const place = document.getElementById("latest-place");
    place.replaceChildren(...page.getElementById("latest-place").childNodes);
  }
  keepUpToDate();
}

function keepUpToDate() {
  for (const item of document.querySelectorAll("#latest-place li[data-id]")) {
    const { id } = item.dataset;
    if (followed.has(id)) continue;
    followed.add(id);
    follow(analysisAddress(id), {
      onStatus: (status) => {
        const words = document.querySelector(`#latest-place li[data-id="${id}"] [data-standing]`);
        if (words && status.state === "running") words.textContent = runningWords(status, percentDone(status.progress));
      },
      onFinding: renew,
      onEnd: renew,
      onGone: renew,
    }, true);
  }
  if (document.querySelector("[data-expects-sample]")) setTimeout(renew, LOOK_AGAIN);
}

keepUpToDate();

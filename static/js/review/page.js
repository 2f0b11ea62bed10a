// The review desk on a page of the app.

import { byId } from "../dom.js";
import { closeMenus } from "../menus.js";
import { open } from "./main.js";
import { AppStore } from "./store.js";

const { address, author, heatmaps, silent } = byId("desk").dataset;

closeMenus();

try {
  const answer = await fetch(`${address}/review.json`, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const raw = await answer.json();
  await open(raw, new AppStore(address, author ?? "", silent), heatmaps);
  byId("figures").removeAttribute("open");
} catch (problem) {
  // The figure and tables below contain the same without the desk.
  byId("desk-problem").hidden = false;
  console.error(problem);
}

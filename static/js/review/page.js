// The review desk on a page of the app.

import { byId } from "../dom.js";
import { closeMenus } from "../menus.js";
import { read } from "../requests.js";
import { open } from "./main.js";
import { AppStore } from "./store.js";

const { analysis, animates, author, silent } = byId("desk").dataset;

closeMenus();

try {
  const raw = await read(`${analysis}/desk`);
  await open(raw, new AppStore(analysis, author ?? "", silent), animates === undefined ? null : `${analysis}/segments`);
  byId("figures").removeAttribute("open");
} catch (problem) {
  // The figure and tables below contain the same without the desk.
  byId("desk-problem").hidden = false;
  console.error(problem);
}

// Pictures of peak frames: close-ups of faces, and large pictures to step through.

import { byId, el } from "../dom.js";
import { _ } from "../language.js";

const SVG = "http://www.w3.org/2000/svg";

// Hundreds of segments have hundreds of pictures; fetch only the visible ones.
const inSight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    target.firstChild.setAttribute("href", target.dataset.picture);
    inSight.unobserve(target);
  }
}, { rootMargin: "200px" });

/** The peak to show first: one whose map is confirmed, if there is any. */
export const leading = (peaks) => peaks.find((peak) => peak.leads) ?? peaks[0];

/** An element of a drawing with these attributes. */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/**
 * The face cut out of a picture of a peak, a `frame`, `overlay` or `map`. Empty `alt`: decoration.
 * `lazy`: fetched when visible. Not for paper, because printing does not wait for it.
 */
export function closeUp(peak, kind, media, alt, lazy = false) {
  const [left, top, right, bottom] = peak.near?.part ?? [0, 0, media.width, media.height];
  const address = (peak.near ?? peak)[kind];
  const image = shape("image", { x: left, y: top, width: right - left, height: bottom - top });
  const svg = shape("svg", { viewBox: peak.close_up, ...(alt ? { role: "img", "aria-label": _("Close-up: %(picture)s", { picture: alt }) } : { "aria-hidden": "true" }) });
  svg.append(image);
  if (lazy) {
    svg.dataset.picture = address;
    inSight.observe(svg);
  } else {
    image.setAttribute("href", address);
  }
  return svg;
}

const BAR = { wide: 100, tall: 12 }; // px

/** The bar of a row of a check, `bars` of a peak, in parts of a width that all rows share; "" without. */
export function hideBar(bars, row) {
  if (!bars || !row) return "";
  const line = (at, dash) => shape("path", { class: "hide-bar-zero", d: `M${(BAR.wide - 1) * at + 0.5} 0v${BAR.tall}`, ...(dash ? { "stroke-dasharray": "2 1.3" } : {}) });
  const [start, length] = bars.rows[row];
  const svg = shape("svg", { class: "hide-bar", viewBox: `0 0 ${BAR.wide} ${BAR.tall}`, width: BAR.wide, height: BAR.tall, "aria-hidden": "true" });
  svg.append(shape("rect", { class: "hide-bar-fall", x: BAR.wide * start, y: 3, width: BAR.wide * length, height: BAR.tall - 6 }), line(bars.zero), line(bars.least, true));
  return svg;
}

let set = null;

/** Show a peak frame large: frame, overlay and map, whole and close up. */
export function enlarge(peaks, peak, media, opener) {
  set = { peaks, media, opener };
  fill(peaks.indexOf(peak));
  byId("lightbox").showModal();
}

function fill(index) {
  const { peaks, media } = set;
  set.index = (index + peaks.length) % peaks.length;
  const peak = peaks[set.index];
  const shown = [["frame", _("Original")], ["overlay", _("With heatmap")], ["map", _("Heatmap alone")]].filter(([kind]) => peak[kind]);
  const figure = (picture, words) => el("figure", {}, picture, el("figcaption", {}, words));
  byId("lightbox-pictures").replaceChildren(
    ...shown.map(([kind, words]) => figure(el("img", { src: peak[kind], alt: _("%(picture)s, whole frame", { picture: words }) }), words)),
    ...shown.map(([kind, words]) => figure(closeUp(peak, kind, media, words), _("%(picture)s, close-up", { picture: words }))),
  );
  byId("lightbox-caption").textContent = peak.caption;
  byId("lightbox-effect").textContent = peak.effect;
}

/** Connect the dialog, once. */
export function lightbox() {
  const box = byId("lightbox");
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === box || button?.hasAttribute("data-close")) box.close();
    else if (button) fill(set.index + Number(button.dataset.step));
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") fill(set.index - 1);
    if (event.key === "ArrowRight") fill(set.index + 1);
  });
  box.addEventListener("close", () => set?.opener?.focus());
}

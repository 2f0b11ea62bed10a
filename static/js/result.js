// Close-ups of faces, enlarged peak frames, and ways from the timeline and the table to a segment.

const SVG = "http://www.w3.org/2000/svg";
const box = document.getElementById("lightbox");
const peaks = [...document.querySelectorAll(".peak")].filter((peak) => peak.querySelector(".enlarge"));
let shown = 0;
let opener = null;

/** The face alone, cut out of a picture that is on the page already. */
function closeUp(peak, picture) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", peak.dataset.closeUp);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Close-up: ${picture.alt}`);
  const image = document.createElementNS(SVG, "image");
  image.setAttribute("href", picture.src);
  image.setAttribute("width", peak.dataset.width);
  image.setAttribute("height", peak.dataset.height);
  svg.append(image);
  return svg;
}

function addCloseUps(segment) {
  for (const peak of segment.querySelectorAll(".peak:not([data-closer])")) {
    peak.dataset.closer = "";
    const row = peak.querySelector(".peak-pictures");
    for (const picture of [...row.querySelectorAll("img")]) {
      const figure = document.createElement("figure");
      figure.className = "close-up";
      const link = document.createElement("a");
      link.className = "enlarge";
      link.href = picture.src;
      link.title = "Enlarge";
      link.append(closeUp(peak, picture));
      const caption = document.createElement("figcaption");
      caption.textContent = "Close-up";
      figure.append(link, caption);
      row.append(figure);
    }
  }
}

for (const segment of document.querySelectorAll(".segment")) {
  // A folded segment loads no pictures until it is opened.
  if (segment.open) addCloseUps(segment);
  segment.addEventListener("toggle", () => { if (segment.open) addCloseUps(segment); });
}

function fill(index) {
  shown = (index + peaks.length) % peaks.length;
  const peak = peaks[shown];
  const pictures = [...peak.querySelectorAll(".peak-pictures img")];
  const large = pictures.map((picture) => {
    const image = new Image();
    image.src = picture.src;
    image.alt = picture.alt;
    return image;
  });
  document.getElementById("lightbox-pictures").replaceChildren(
    ...large, ...pictures.map((picture) => closeUp(peak, picture)),
  );
  document.getElementById("lightbox-caption").textContent = peak.dataset.caption;
  document.getElementById("lightbox-effect").textContent = peak.querySelector(".peak-effect").textContent;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".enlarge");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return; // the picture itself, in a new tab
  event.preventDefault();
  opener = link;
  fill(peaks.indexOf(link.closest(".peak")));
  box.showModal();
});

box.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (event.target === box || button?.hasAttribute("data-close")) box.close();
  else if (button) fill(shown + Number(button.dataset.step));
});
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") fill(shown - 1);
  if (event.key === "ArrowRight") fill(shown + 1);
});
box.addEventListener("close", () => opener?.focus());

function open(id) {
  const segment = document.getElementById(`segment-${id}`);
  if (!segment) return;
  segment.open = true;
  segment.scrollIntoView({ block: "start" });
}

for (const band of document.querySelectorAll(".timeline-band[data-segment]")) {
  band.addEventListener("click", () => {
    open(band.dataset.segment);
    document.querySelector(`#segment-${CSS.escape(band.dataset.segment)} summary`)?.focus({ preventScroll: true });
  });
}
const follow = () => {
  if (window.location.hash.startsWith("#segment-")) open(window.location.hash.slice("#segment-".length));
};
window.addEventListener("hashchange", follow);
follow();

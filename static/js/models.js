// Says that a model is being checked, and keeps an impatient second click from sending it twice.
// Without this module the form works as it stands.

const form = document.getElementById("add-model");

form.addEventListener("submit", () => {
  form.querySelector("button").disabled = true;
  document.getElementById("checking").hidden = false;
});

// A page that comes back out of the browser's memory must be usable again.
window.addEventListener("pageshow", () => {
  form.querySelector("button").disabled = false;
  document.getElementById("checking").hidden = true;
});

// A second click on a form that is being sent already sends nothing: it would be recorded twice, or its answer
// (a one-time password, say) replaced unseen. On every page. Forms that scripts send themselves are left alone.

let sent = new WeakSet();

// On the window, so that whoever handles the form by itself has said so before.
window.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (sent.has(event.target)) event.preventDefault();
  else sent.add(event.target);
});

// A page that comes back out of the browser's memory must be usable again, and one whose reader was asked and stayed.
const allow = () => { sent = new WeakSet(); };
window.addEventListener("pageshow", allow);
window.addEventListener("beforeunload", (event) => {
  setTimeout(() => { if (event.defaultPrevented) allow(); });
});

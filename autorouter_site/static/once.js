// Sends each form once: a second click while the answer is on its way would send it again, and the
// answer to the first, such as a new key, would be lost. Without this module the server notices.
const PATIENCE_MS = 5000;
const sent = new Set();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  // Another button of the same form asks for something else.
  const pressed = event.submitter ?? form;
  if (sent.has(pressed)) event.preventDefault();
  sent.add(pressed);
  // Whoever stopped the loading may try again.
  setTimeout(() => sent.delete(pressed), PATIENCE_MS);
});
addEventListener("pageshow", () => sent.clear());

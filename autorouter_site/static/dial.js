// Adds a slider to the number field of the dial and keeps both and the words in step.
const number = document.querySelector("#id_cost_quality_tradeoff");
const range = document.querySelector("#dial-range");
const said = document.querySelector("#dial-words-now");
const words = new Map(
  [...document.querySelectorAll("#dial-words option")].map((one) => [one.value, one.label]),
);

function follow(value) {
  if (!words.has(value)) return;
  range.value = value;
  said.textContent = words.get(value);
  range.setAttribute("aria-valuetext", `${value}, ${words.get(value)}`);
}

range.closest("[hidden]").hidden = false;
follow(number.value);
number.addEventListener("input", () => follow(number.value));
range.addEventListener("input", () => {
  number.value = range.value;
  follow(range.value);
});

// The emotion in words, the bars of its probabilities, and which face they belong to.
import { captionOf, percent } from "./stage.js";

const PAUSE = 3000;    // milliseconds between announcements, which a screen reader speaks

// elements    {answer, announcement, bars, faces}
// select      called with the number of a face that was chosen
// Returns show(result, selected).
export function makeResult(elements, classNames, select) {
  const rows = classNames.map((name) => elements.bars.appendChild(rowOf(name)));
  const announce = makeAnnouncer((text) => { elements.announcement.textContent = text; });

  return function show(result, selected) {
    showChoice(elements.faces, result.faces.length, selected, select);
    const face = result.faces[selected];
    const probabilities = face ? face.probabilities : classNames.map(() => 0);
    const best = face ? probabilities.indexOf(Math.max(...probabilities)) : -1;
    rows.forEach((row, n) => {
      row.classList.toggle("best", n === best);
      row.querySelector(".bar").style.width = `${100 * probabilities[n]}%`;
      row.cells[2].textContent = face ? percent(probabilities[n]) : "-";
    });
    elements.answer.textContent = face ? captionOf(face) : "No face found";
    announce(face ? `${face.emotion}${face.unsure ? ", unsure" : ""}` : "No face found");
  };
}

function rowOf(name) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const track = document.createElement("td");
  track.innerHTML = '<div class="track" aria-hidden="true"><div class="bar"></div></div>';
  row.append(head, track, document.createElement("td"));
  return row;
}

// Lets one of several faces be chosen; one face leaves no choice.
function showChoice(fieldset, count, selected, select) {
  fieldset.hidden = count < 2;
  const radios = fieldset.getElementsByTagName("input");
  if (radios.length !== count) {
    const labels = Array.from({ length: count }, (_, n) => {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="face" value="${n}"> ${n + 1} `;
      label.firstElementChild.addEventListener("change", () => select(n));
      return label;
    });
    fieldset.replaceChildren(fieldset.firstElementChild, ...labels);
  }
  if (radios[selected]) radios[selected].checked = true;
}

// Returns announce(text): says what is new, at most once in a PAUSE, and then the latest.
export function makeAnnouncer(say, clock = Date.now, later = setTimeout) {
  let said = "";
  let wanted = "";
  let free = 0;
  let planned = false;
  function announce() {
    planned = false;
    if (wanted === said) return;
    const wait = free - clock();
    if (wait > 0) {
      planned = true;
      later(announce, wait);
      return;
    }
    said = wanted;
    free = clock() + PAUSE;
    say(said);
  }
  return (text) => {
    wanted = text;
    if (!planned) announce();
  };
}

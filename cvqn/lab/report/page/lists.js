// Tables that sort by a column, the filter of claims, links that open what they lead to.

const numberIn = (text) => { const found = text.match(/^[^\d-–]*(-?\d+(\.\d+)?)/); return found ? +found[1] : null; };

const valueOf = (cell) => cell.dataset.value ?? cell.textContent;

function compareCells(one, other) {
  const [a, b] = [numberIn(one), numberIn(other)];
  if (a !== null && b !== null && a !== b) return a - b;
  if ((a === null) !== (b === null)) return a === null ? 1 : -1;
  return one.localeCompare(other, "en", { numeric: true });
}

for (const head of document.querySelectorAll("table.sortable th")) {
  head.querySelector("button").addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") === "ascending", column = head.cellIndex;
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].sort((one, other) => compareCells(valueOf(one.cells[column]), valueOf(other.cells[column])));
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...(falling ? rows.reverse() : rows));
  });
}

function filterClaims(verdict) {
  for (const button of document.querySelectorAll(".filters button")) button.setAttribute("aria-pressed", button.dataset.filter === verdict);
  for (const claim of document.querySelectorAll(".claim[data-verdict]")) claim.hidden = Boolean(verdict) && claim.dataset.verdict !== verdict;
  for (const fold of document.querySelectorAll(".folded")) {
    const some = Boolean(fold.querySelector(".claim:not([hidden])"));
    fold.hidden = !some;
    fold.open = Boolean(verdict) && some;
  }
  for (const place of document.querySelectorAll(".place")) place.hidden = !place.querySelector(".claim:not([hidden])");
}

for (const button of document.querySelectorAll("[data-filter]")) button.addEventListener("click", () => filterClaims(button.dataset.filter));

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

// Arrow keys in tables: Tab enters a table once, arrow keys move from cell to cell.

/** Make Tab return to the cell that had the focus last. @param {FocusEvent} event */
export function rove(event) {
  const table = /** @type {HTMLElement} */ (event.currentTarget);
  if (!(event.target instanceof HTMLElement) || !event.target.closest("td")) return;
  for (const each of table.querySelectorAll("td a[tabindex='0']")) each.setAttribute("tabindex", "-1");
  event.target.setAttribute("tabindex", "0");
}

const STEPS = /** @type {Record<string, [number, number]>} */ ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] });

/** @param {KeyboardEvent} event */
export function arrows(event) {
  const step = STEPS[event.key];
  const anchor = event.target instanceof Element ? event.target.closest("a") : null;
  const place = anchor?.closest("td,th");
  if (!step || !anchor || !(place instanceof HTMLTableCellElement) || event.altKey || event.ctrlKey || event.metaKey) return;
  const table = /** @type {HTMLTableElement} */ (event.currentTarget);
  const next = beside(anchor, place, step[1]) ?? beyond(table, place, step);
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Return the next link within the same cell: a strip has many. @param {Element} anchor @param {Element} place @param {number} step */
function beside(anchor, place, step) {
  const all = [...place.querySelectorAll("a")];
  return step ? all[all.indexOf(/** @type {HTMLAnchorElement} */ (anchor)) + step] : undefined;
}

/** Return the first or last link of the next cell that has one. @param {HTMLTableElement} table @param {HTMLTableCellElement} place @param {[number, number]} step */
function beyond(table, place, step) {
  let row = /** @type {HTMLTableRowElement} */ (place.parentElement).rowIndex;
  let column = place.cellIndex;
  for (;;) {
    row += step[0];
    column += step[1];
    const next = table.rows[row]?.cells[column];
    if (!next) return undefined;
    const all = next.querySelectorAll("a");
    if (all.length) return all[step[1] < 0 ? all.length - 1 : 0];
  }
}

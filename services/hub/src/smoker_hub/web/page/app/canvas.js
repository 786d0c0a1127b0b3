// The matrix as a drawing: up to 1,000 nodes, labels that stay visible, a cursor for keyboard and mouse.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { absent } from "./cells.js";
import { LOOKS, told } from "./letters.js";
import { go, link } from "./route.js";
import { shortened, shown } from "./words.js";

/** @typedef {import("./cells.js").Matrix} Matrix */

const LEFT = 132; // pixels for the names of rows
const TOP = 92; // and of columns
const SIZES = [4, 6, 8, 12, 16, 22]; // pixels of a cell
const ROOM = [25, 40, 60, 90, Infinity]; // number of nodes up to which cells start with the largest size, the second largest, …
const LETTERS = 10; // size of a cell in pixels from which every row has its name

/** @param {{ matrix: Matrix }} props */
export function Canvas({ matrix }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const count = matrix.names.length;
  const [zoom, setZoom] = useState(SIZES.length - 1 - ROOM.findIndex((most) => count <= most));
  const [cursor, setCursor] = useState({ row: 0, column: 0, on: false });
  const size = SIZES[zoom];

  useEffect(() => {
    const element = box.current;
    if (!element || !canvas.current) return;
    const draw = drawer(element, canvas.current, matrix, size, cursor.on ? cursor : null);
    let due = 0;
    const later = () => (due ||= requestAnimationFrame(() => ((due = 0), draw())));
    const observer = new ResizeObserver(later);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    observer.observe(element);
    element.addEventListener("scroll", later, { passive: true });
    dark.addEventListener("change", later);
    draw();
    return () => {
      cancelAnimationFrame(due);
      observer.disconnect();
      element.removeEventListener("scroll", later);
      dark.removeEventListener("change", later);
    };
  }, [matrix, size, cursor]);

  /** @param {number} row @param {number} column */
  const move = (row, column) => {
    const to = { row: within(row, count), column: within(column, count), on: true };
    setCursor(to);
    if (box.current) reveal(box.current, to, size);
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    const page = 10;
    const { row, column } = cursor;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowUp: () => move(row - 1, column), ArrowDown: () => move(row + 1, column),
      ArrowLeft: () => move(row, column - 1), ArrowRight: () => move(row, column + 1),
      PageUp: () => move(row - page, column), PageDown: () => move(row + page, column),
      Home: () => move(row, 0), End: () => move(row, count - 1),
      Enter: () => open(row, column),
      "+": () => setZoom(within(zoom + 1, SIZES.length)), "-": () => setZoom(within(zoom - 1, SIZES.length)),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  };
  /** @param {number} row @param {number} column */
  const open = (row, column) => {
    if (matrix.rows[row]?.has(column)) go(link({ view: "path", from: matrix.names[row], to: matrix.names[column] }));
  };
  /** @param {MouseEvent} event */
  const place = (event) => {
    const element = /** @type {HTMLDivElement} */ (box.current);
    const frame = element.getBoundingClientRect();
    const column = Math.floor((event.clientX - frame.left + element.scrollLeft - LEFT) / size);
    const row = Math.floor((event.clientY - frame.top + element.scrollTop - TOP) / size);
    const inside = event.clientX - frame.left > LEFT && event.clientY - frame.top > TOP && row < count && column < count;
    return inside ? { row, column } : null;
  };
  /** @param {MouseEvent} event */
  const hover = (event) => {
    const found = place(event);
    if (found && (found.row !== cursor.row || found.column !== cursor.column || !cursor.on)) setCursor({ ...found, on: true });
  };
  /** @param {MouseEvent} event */
  const press = (event) => {
    const found = place(event);
    if (found) open(found.row, found.column);
  };

  return html`
    <div class="map">
      <p class="reading" id="map-reading" aria-live="polite">${reading(matrix, cursor)}</p>
      <div class="zoom" role="group" aria-label="Size of the cells">
        <button type="button" aria-label="Smaller cells" aria-disabled=${zoom === 0} onClick=${() => setZoom(within(zoom - 1, SIZES.length))}>−</button>
        <button type="button" aria-label="Larger cells" aria-disabled=${zoom === SIZES.length - 1} onClick=${() => setZoom(within(zoom + 1, SIZES.length))}>+</button>
      </div>
      <div class="map-box" ref=${box} tabindex="0" role="application" aria-label="Map of all paths. Arrow keys move, Enter opens a path, plus and minus change the size."
        aria-describedby="map-reading" onKeyDown=${keys} onFocus=${() => setCursor({ ...cursor, on: true })} onMouseMove=${hover} onClick=${press}>
        <div class="map-room" style=${{ width: `${LEFT + count * size + 1}px`, height: `${TOP + count * size + 1}px` }}>
          <canvas ref=${canvas}></canvas>
        </div>
      </div>
    </div>`;
}

/** @param {number} value @param {number} count */
const within = (value, count) => Math.max(0, Math.min(count - 1, value));

/** @param {Matrix} matrix @param {{ row: number, column: number, on: boolean }} cursor */
function reading(matrix, { row, column, on }) {
  const [from, to] = [matrix.names[row], matrix.names[column]];
  if (!on || from === undefined || to === undefined) return "Point at a cell, or use the arrow keys; Enter opens the path.";
  if (row === column && !matrix.rows[row].has(column)) return `${shown(from)}: itself`;
  const cell = matrix.rows[row].get(column);
  return `${shown(from)} to ${shown(to)}: ${cell ? told(cell) : absent(matrix, row, column)}`;
}

/** @param {HTMLElement} element @param {{ row: number, column: number }} cursor @param {number} size */
function reveal(element, { row, column }, size) {
  const [x, y] = [column * size, row * size];
  element.scrollLeft = Math.min(x, Math.max(element.scrollLeft, x + size - (element.clientWidth - LEFT)));
  element.scrollTop = Math.min(y, Math.max(element.scrollTop, y + size - (element.clientHeight - TOP)));
}

/**
 * Return the function that draws the visible part.
 * @param {HTMLElement} element
 * @param {HTMLCanvasElement} canvas
 * @param {Matrix} matrix
 * @param {number} size
 * @param {{ row: number, column: number } | null} cursor
 */
function drawer(element, canvas, matrix, size, cursor) {
  const names = shortened(matrix.names);
  const count = names.length;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  return () => {
    const [width, height, ratio] = [element.clientWidth, element.clientHeight, devicePixelRatio];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const colours = coloursOf(element);
    const [left, top] = [element.scrollLeft, element.scrollTop];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, width, height);
    const firstRow = Math.floor(top / size);
    const lastRow = Math.min(count, Math.ceil((top + height - TOP) / size));
    const firstColumn = Math.floor(left / size);
    const lastColumn = Math.min(count, Math.ceil((left + width - LEFT) / size));
    context.save();
    context.beginPath();
    context.rect(LEFT, TOP, width - LEFT, height - TOP);
    context.clip();
    cells(context, { matrix, size, left, top, firstRow, lastRow, firstColumn, lastColumn, colours });
    if (cursor) mark(context, LEFT + cursor.column * size - left, TOP + cursor.row * size - top, size, colours.focus);
    context.restore();
    labels(context, { names, size, left, top, firstRow, lastRow, firstColumn, lastColumn, width, height, colours, cursor });
  };
}

/** @typedef {ReturnType<typeof coloursOf>} Colours */

/** @param {Element} element */
function coloursOf(element) {
  const style = getComputedStyle(element);
  /** @param {string} name */
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    paper: value("--card"), ink: value("--ink"), soft: value("--soft"), line: value("--line"), focus: value("--focus"), none: value("--none-map"),
    fail: value("--fail"), part: value("--part"), lossy: value("--lossy"), stale: value("--stale"), new: value("--new"), ok: value("--ok-map"),
    onFail: value("--on-fail"), font: style.fontFamily,
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ matrix: Matrix, size: number, left: number, top: number, firstRow: number, lastRow: number, firstColumn: number, lastColumn: number, colours: Colours }} view
 */
function cells(context, { matrix, size, left, top, firstRow, lastRow, firstColumn, lastColumn, colours }) {
  const gap = size > 6 ? 1 : 0;
  const inner = size - gap;
  context.fillStyle = colours.none;
  const [x0, y0] = [LEFT + firstColumn * size - left, TOP + firstRow * size - top];
  context.fillRect(x0, y0, (lastColumn - firstColumn) * size, (lastRow - firstRow) * size);
  for (let row = firstRow; row < lastRow; row++) {
    const y = TOP + row * size - top;
    for (const [column, cell] of matrix.rows[row]) {
      if (column < firstColumn || column >= lastColumn) continue;
      const x = LEFT + column * size - left;
      const name = /** @type {keyof Colours} */ (LOOKS[cell.state].name);
      context.fillStyle = colours[name];
      context.fillRect(x, y, inner, inner);
      if (size >= 6 && (cell.state === "f" || cell.state === "p")) cross(context, x, y, inner, cell.state === "f" ? colours.onFail : colours.ink);
      if (size >= 8 && cell.state === "s") dash(context, x, y, inner, colours.soft);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} size @param {string} colour */
function cross(context, x, y, size, colour) {
  const rim = size * 0.28;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, size / 9);
  context.beginPath();
  context.moveTo(x + rim, y + rim);
  context.lineTo(x + size - rim, y + size - rim);
  context.moveTo(x + size - rim, y + rim);
  context.lineTo(x + rim, y + size - rim);
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} size @param {string} colour */
function dash(context, x, y, size, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x + size * 0.25, y + size / 2);
  context.lineTo(x + size * 0.75, y + size / 2);
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} size @param {string} colour */
function mark(context, x, y, size, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x - 1.5, y - 1.5, size + 2, size + 2);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ names: string[], size: number, left: number, top: number, firstRow: number, lastRow: number, firstColumn: number, lastColumn: number,
 *           width: number, height: number, colours: Colours, cursor: { row: number, column: number } | null }} view
 */
function labels(context, { names, size, left, top, firstRow, lastRow, firstColumn, lastColumn, width, height, colours, cursor }) {
  const every = size >= LETTERS ? 1 : Math.ceil(14 / size);
  const letters = Math.min(11, Math.max(9, size - 2));
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, width, TOP);
  context.fillRect(0, 0, LEFT, height);
  context.textBaseline = "middle";
  /** @param {boolean} chosen */
  const pen = (chosen) => {
    context.font = `${chosen ? "600 " : ""}${letters}px ${colours.font}`;
    context.fillStyle = chosen ? colours.ink : colours.soft;
  };
  context.save();
  context.beginPath();
  context.rect(0, TOP, LEFT, height - TOP);
  context.clip();
  context.textAlign = "right";
  for (let row = firstRow; row < lastRow; row++) {
    const chosen = cursor?.row === row;
    if (row % every && !chosen) continue;
    pen(chosen);
    context.fillText(fitted(context, names[row], LEFT - 14), LEFT - 6, TOP + row * size - top + size / 2);
  }
  context.restore();
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, width - LEFT, TOP);
  context.clip();
  context.textAlign = "left";
  for (let column = firstColumn; column < lastColumn; column++) {
    const chosen = cursor?.column === column;
    if (column % every && !chosen) continue;
    pen(chosen);
    context.save();
    context.translate(LEFT + column * size - left + size / 2, TOP - 6);
    context.rotate(-Math.PI / 2);
    context.fillText(fitted(context, names[column], TOP - 14), 0, 0);
    context.restore();
  }
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {string} name @param {number} room */
function fitted(context, name, room) {
  if (context.measureText(name).width <= room) return name;
  let end = Math.max(1, Math.floor((name.length * room) / context.measureText(name).width) - 1);
  while (end > 1 && context.measureText(`…${name.slice(-end)}`).width > room) end--;
  return `…${name.slice(-end)}`;
}

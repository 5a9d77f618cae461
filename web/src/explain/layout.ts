// Where the graph's nodes stand, and the lines between them. The upper row is the way of the table itself, the lower
// one that of the statistics, so that one sees where x and centered branch.

export const box = { width: 118, height: 86 };
export const size = { width: 1200, height: 262 };

const margin = 5;
const columnPitch = (size.width - 2 * margin - box.width) / 7;
const rowPitch = size.height - 2 * margin - box.height;
const apart = 7; // of a line from the middle between the arrow forward and the gradient's
const turn = 10; // radius of a corner

/** How far the sheets of a pile lie to the right of one another and above. */
export const pile = 2;

/** Column and row. */
const places: Record<string, [number, number]> = {
  x: [0, 0],
  mean: [1, 1],
  running_mean: [1, 1],
  centered: [2, 0],
  squared: [2, 1],
  var_biased: [3, 1],
  running_var: [3, 1],
  std: [4, 1],
  rstd: [5, 1],
  xhat: [5, 0],
  gamma: [6, 1],
  scaled: [6, 0],
  beta: [7, 1],
  y: [7, 0],
};

export interface Point {
  x: number;
  y: number;
}

function placeOf(name: string): [number, number] {
  return places[name] ?? [0, 0];
}

/** The upper left corner of a node. */
export function corner(name: string): Point {
  const [column, row] = placeOf(name);
  return { x: margin + column * columnPitch, y: margin + row * rowPitch };
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
  middle: Point;
}

function boxOf(name: string): Box {
  const { x: left, y: top } = corner(name);
  const more = placeOf(name)[1] === 0 || name === "squared" ? 2 * pile : 0;
  return {
    left,
    right: left + box.width + more,
    top: top - more,
    bottom: top + box.height,
    middle: { x: left + box.width / 2, y: top + box.height / 2 },
  };
}

export interface Edge {
  forward: string;
  gradient: string;
  /** where words on the gradient begin */
  label: Point;
}

/** Along a row. `shift` moves both lines up or down. */
function alongRow(from: Box, to: Box, shift: number): Edge {
  const [above, below] = [from.middle.y + shift - apart, from.middle.y + shift + apart];
  return {
    forward: `M ${from.right} ${above} H ${to.left}`,
    gradient: `M ${to.left} ${below} H ${from.right}`,
    label: { x: from.right + 10, y: below + 14 },
  };
}

function alongColumn(from: Box, to: Box): Edge {
  const [start, end] = to.top > from.bottom ? [from.bottom, to.top] : [from.top, to.bottom];
  const { x } = from.middle;
  return {
    forward: `M ${x - apart} ${start} V ${end}`,
    gradient: `M ${x + apart} ${end} V ${start}`,
    label: { x: x + 16, y: (start + end) / 2 - 4 },
  };
}

/** From the lower edge of a node down, then right. */
function downRight(from: Box, to: Box): Edge {
  const [outer, inner] = [to.middle.y + apart, to.middle.y - apart];
  const [left, near] = [from.middle.x - apart, from.middle.x + apart];
  return {
    forward: `M ${left} ${from.bottom} V ${outer - turn} Q ${left} ${outer} ${left + turn} ${outer} H ${to.left}`,
    gradient: `M ${to.left} ${inner} H ${near + turn} Q ${near} ${inner} ${near} ${inner - turn} V ${from.bottom}`,
    label: { x: near + 10, y: (from.bottom + to.top) / 2 - 4 },
  };
}

/** From the upper edge of a node up, then right, below the lines along the row. */
function upRight(from: Box, to: Box): Edge {
  const outer = to.middle.y + 18;
  const inner = outer + 2 * apart;
  const [left, near] = [from.middle.x - apart, from.middle.x + apart];
  return {
    forward: `M ${left} ${from.top} V ${outer + turn} Q ${left} ${outer} ${left + turn} ${outer} H ${to.left}`,
    gradient: `M ${to.left} ${inner} H ${near + turn} Q ${near} ${inner} ${near} ${inner + turn} V ${from.top}`,
    label: { x: near + 10, y: from.top - 10 },
  };
}

export function edgeBetween(from: string, to: string): Edge {
  const [[fromColumn, fromRow], [toColumn, toRow]] = [placeOf(from), placeOf(to)];
  const [start, end] = [boxOf(from), boxOf(to)];
  if (fromColumn === toColumn) return alongColumn(start, end);
  if (fromRow === toRow) return alongRow(start, end, to === "centered" ? -18 : 0);
  return fromRow < toRow ? downRight(start, end) : upRight(start, end);
}

// The maps of confused identities: their trees, what lies between any two nodes, and addresses.
const maps = at("confusion-data") ? carried("confusion-data") : [];
const MAP_PREFIX = "#confusions?";
// A node is a place in the names, or a list of nodes. Its path says where it is: "3.2".
const nodeAt = (map, path) =>
  path.split(".").filter(Boolean).reduce((node, step) => node?.[step], map.tree);
const leavesOf = (node) => (Array.isArray(node) ? node.flatMap(leavesOf) : [node]);
const childrenOf = (node) => (Array.isArray(node) ? node : [node]);
const pathTo = (path, step) => (path ? `${path}.${step}` : `${step}`);
const mapAddress = (map, rows = "", columns = rows) =>
  MAP_PREFIX + new URLSearchParams({ map: maps.indexOf(map), rows, columns });

// By map: for each identity, its edges; how many false accepts it has; and where it stands.
const edgesOf = new Map();
const edges = (map) => {
  if (!edgesOf.has(map)) {
    const beside = map.names.map(() => []);
    const errors = map.names.map(() => 0);
    map.low.forEach((low, edge) => {
      const high = map.high[edge];
      beside[low].push([high, edge]);
      beside[high].push([low, edge]);
      errors[low] += map.accepted[edge];
      errors[high] += map.accepted[edge];
    });
    const parents = [];
    const walk = (node, path) =>
      node.forEach((child, step) => {
        if (Array.isArray(child)) walk(child, pathTo(path, step));
        else parents[child] = path;
      });
    walk(map.tree, "");
    edgesOf.set(map, { beside, errors, parents });
  }
  return edgesOf.get(map);
};
const busiest = (map, leaves) => {
  const { errors } = edges(map);
  return leaves.reduce((a, b) => (errors[b] > errors[a] ? b : a));
};
const nodeName = (map, leaves) => {
  const name = map.names[busiest(map, leaves)];
  return leaves.length > 1 ? `${name} and ${COUNT.format(leaves.length - 1)} more` : name;
};
// What lies between each child of two nodes: pairs taken for one, all pairs, the highest score.
const between = (map, rows, columns) => {
  const columnOf = new Map();
  columns.forEach((leaves, column) => leaves.forEach((leaf) => columnOf.set(leaf, column)));
  const { beside } = edges(map);
  return rows.map((leaves) => {
    const cells = new Map();
    const mine = new Set(leaves);
    for (const leaf of leaves) {
      for (const [other, edge] of beside[leaf]) {
        const column = columnOf.get(other);
        // Both ends in one row and column: from the lower end alone.
        if (column === undefined || (mine.has(other) && columnOf.get(leaf) === column && other < leaf)) continue;
        const cell = cells.get(column) ?? { accepted: 0, pairs: 0, best: -Infinity };
        cell.accepted += map.accepted[edge];
        cell.pairs += map.counts[edge];
        cell.best = Math.max(cell.best, map.best[edge]);
        cells.set(column, cell);
      }
    }
    return cells;
  });
};

// The view of the gallery with the pairs of one or two identities that the model takes for one.
const viewOf = (map, name, other) => {
  const wanted = { name };
  if (other !== undefined) wanted.with = other;
  if (map.set && data.sets.length > 1) wanted.set = map.set;
  if (data.models.includes(map.model)) wanted.show = `fa:${map.model}`;
  return wanted;
};
const galleryAddress = (wanted) => PREFIX + new URLSearchParams(wanted);
// By map and identity: a face that the gallery has of it, in a false accept if there is one.
const facesOf = new Map();
const faceOf = (map, name) => {
  if (!facesOf.has(map)) {
    const [wrong, any] = [new Map(), new Map()];
    const model = modelCalled(map.model);
    for (const pair of everyPair) {
      const isFound = model >= 0 && outcomeOf(model, pair) === "false accept";
      for (const side of [0, 1]) {
        const face = data.faces[side][pair];
        const whose = nameOf(pair, side);
        if (!any.has(whose)) any.set(whose, face);
        if (isFound && !wrong.has(whose)) wrong.set(whose, face);
      }
    }
    facesOf.set(map, new Map([...any, ...wrong]));
  }
  return facesOf.get(map).get(name);
};

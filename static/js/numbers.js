// Numbers between bounds, and places in sorted arrays.

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** First index whose value is not below `wanted`, in a sorted array. */
export function lowerBound(sorted, wanted) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @module */
export function updateReference(_check: boolean): void {}

/**
 * What is worked out once.
 *
 * A layer has the same window in every step, and a pass that is kept runs its jobs with the same numbers.
 *
 * @module
 */

/** `derive`, worked out once for every object, which must stay as it is. */
export function onceFor<Key extends object, Value>(derive: (key: Key) => Value): (key: Key) => Value {
  const derived = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    const known = derived.get(key);
    if (known !== undefined) return known.value;
    const value = derive(key);
    derived.set(key, { value });
    return value;
  };
}

/**
 * Schemas that are made when a program uses them. A client needs none for bytes, and Effect's module of Schemas takes half of the CPU
 * time and a seventh of the memory of its import.
 */
import type { Schema } from "effect"
import { createRequire } from "node:module"

/** The same module as that of an import; a program that uses a Schema has it already. */
const loadSchema = (): typeof Schema => createRequire(import.meta.url)("effect/Schema")

/**
 * Returns a stand-in for the Schema that `make` returns: it makes the Schema when anything of it is read. A bundler does not see the
 * module that is loaded here, so that `EagerSchema` takes the place of this one in bundles.
 */
export const lazySchema = <S extends object>(make: (schema: typeof Schema) => S): S => {
  let made: S | undefined
  const schema = (): S => made ??= make(loadSchema())
  const handler: ProxyHandler<() => void> = {
    get: (_, key) => Reflect.get(schema(), key),
    set: (_, key, value) => Reflect.set(schema(), key, value),
    has: (_, key) => Reflect.has(schema(), key),
    ownKeys: () => Reflect.ownKeys(schema()),
    getPrototypeOf: () => Reflect.getPrototypeOf(schema()),
    defineProperty: (_, key, property) => Reflect.defineProperty(schema(), key, property),
    getOwnPropertyDescriptor: (_, key) => {
      const property = Reflect.getOwnPropertyDescriptor(schema(), key)
      // The stand-in is another object than the Schema, so that it cannot report a property as permanent.
      return property === undefined ? undefined : { ...property, configurable: true }
    }
  }
  // Schemas of Effect are functions. The stand-in has the properties of the Schema, because its handler passes everything on.
  return new Proxy(() => {}, handler) as unknown as S
}

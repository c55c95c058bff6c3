/**
 * Finds services that a program provided to the Layer of a daemon in place of a piece. `Layer.provide(daemon, piece)` compiles for any
 * Layer, because its types are Effect's; `CompleteLayer` refuses the form with `pipe` only.
 */
import { Context, Effect, Layer, type Scope } from "effect"

interface AnyKey {
  readonly key: string
}

const withoutEffect = (piece: string): string =>
  `the piece ${piece} has no effect where it is provided to the daemon's Layer; pass it to layerWith or layerFrom, or pass ` +
  `pieces.${piece} to use the standard one`

/**
 * Fails with a description if the environment has one of `services`, by the names of their pieces, which the daemon builds itself
 * nevertheless. A piece in `given` is the program's decision; where the environment has one of `givers`, which give out such
 * services, they are not meant for this daemon.
 */
export const check = Effect.fnUntraced(function*(
  services: Readonly<Record<string, AnyKey>>,
  given: object,
  givers: ReadonlyArray<AnyKey>
): Effect.fn.Return<void, string> {
  const { mapUnsafe: environment } = yield* Effect.context<never>()
  if (givers.some(({ key }) => environment.has(key))) return
  const found = Object.entries(services).find(([piece, { key }]) => !(piece in given) && environment.has(key))
  if (found === undefined) return
  return yield* Effect.fail(withoutEffect(found[0]))
})

/**
 * Fails with a description if the environment has a `service` that is not the one of the `standard` Layer, and that the daemon
 * would not use. Programs use such services themselves, for example a `Transport` for their clients: the standard one is not a
 * replacement. A piece in `given` is the program's decision.
 */
export const checkOther = Effect.fnUntraced(function*<Identifier, Service>(
  piece: string,
  service: Context.Key<Identifier, Service>,
  standard: Layer.Layer<Identifier>,
  given: object
): Effect.fn.Return<void, string, Scope.Scope> {
  if (piece in given) return
  const { mapUnsafe: environment } = yield* Effect.context<never>()
  const provided: unknown = environment.get(service.key)
  if (provided === undefined || provided === Context.get(yield* Layer.build(standard), service)) return
  return yield* Effect.fail(withoutEffect(piece))
})

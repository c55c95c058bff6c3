/**
 * The type of a Layer that builds certain services itself. `Layer.provide` of such a service would type-check for any Layer and
 * have no effect; here it is a compile error. At run time it is the Layer.
 */
import type { Effect, Layer } from "effect"

/**
 * The reason of a compile error, an argument of `pipe` that is missing: the Layer builds the service itself, so that one from
 * outside has no effect. Pass the Layer of the service to `layerWith(options, pieces)` instead.
 *
 * @since 0.2.0
 * @category models
 */
export interface ReplacementWithoutEffect {
  readonly replacementWithoutEffect: "pass the Layer to layerWith(options, pieces) instead"
}

/** The parameter that no program passes, if one of `Pieces` was provided to the Layer that `Result` was made from. */
type Refusal<Result, Pieces> = Result extends Layer.Layer<infer _A, infer _E, infer R>
  ? [Pieces] extends [R] ? [] : [ReplacementWithoutEffect]
  : Result extends Effect.Effect<infer _A, infer _E, infer R> ? [Pieces] extends [R] ? [] : [ReplacementWithoutEffect]
  : []

/** `Result` without the requirements that `pipe` added to see which of them are provided. */
type Real<Result, Pieces> = Result extends Layer.Layer<infer A, infer E, infer R>
  ? Layer.Layer<A, E, Exclude<R, Pieces>>
  : Result extends Effect.Effect<infer A, infer E, infer R> ? Effect.Effect<A, E, Exclude<R, Pieces>>
  : Result

/**
 * A Layer that builds `Pieces` itself. Its `pipe` accepts every function on Layers, except those that provide one of them. The
 * check covers `pipe` only, and ends where the Layer is assigned to a plain `Layer`.
 *
 * @since 0.2.0
 * @category models
 */
export interface CompleteLayer<in A, out E, out R, out Pieces> extends Layer.Layer<A, E, R> {
  pipe<Self>(this: Self): Self
  pipe<B>(
    ab: (self: Layer.Layer<A, E, R | Pieces>) => B,
    ...passThePieceToLayerWith: Refusal<B, Pieces>
  ): Real<NoInfer<B>, Pieces>
  pipe<B, C>(
    ab: (self: Layer.Layer<A, E, R | Pieces>) => B,
    bc: (b: B) => C,
    ...passThePieceToLayerWith: Refusal<C, Pieces>
  ): Real<NoInfer<C>, Pieces>
  pipe<B, C, D>(
    ab: (self: Layer.Layer<A, E, R | Pieces>) => B,
    bc: (b: B) => C,
    cd: (c: C) => D,
    ...passThePieceToLayerWith: Refusal<D, Pieces>
  ): Real<NoInfer<D>, Pieces>
  pipe<B, C, D, F>(
    ab: (self: Layer.Layer<A, E, R | Pieces>) => B,
    bc: (b: B) => C,
    cd: (c: C) => D,
    df: (d: D) => F,
    ...passThePieceToLayerWith: Refusal<F, Pieces>
  ): Real<NoInfer<F>, Pieces>
  pipe<B, C, D, F, G>(
    ab: (self: Layer.Layer<A, E, R | Pieces>) => B,
    bc: (b: B) => C,
    cd: (c: C) => D,
    df: (d: D) => F,
    fg: (f: F) => G,
    ...passThePieceToLayerWith: Refusal<G, Pieces>
  ): Real<NoInfer<G>, Pieces>
  pipe<B, C, D, F, G, H>(
    ab: (self: Layer.Layer<A, E, R | Pieces>) => B,
    bc: (b: B) => C,
    cd: (c: C) => D,
    df: (d: D) => F,
    fg: (f: F) => G,
    gh: (g: G) => H,
    ...passThePieceToLayerWith: Refusal<H, Pieces>
  ): Real<NoInfer<H>, Pieces>
}

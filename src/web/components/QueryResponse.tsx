import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { AsyncResult, type Atom } from "effect/reactivity"
import { type ReactNode, useEffect, useRef } from "react"
import { messageOf } from "../core/api.ts"
import { liveAtom } from "../live/live.ts"
import { Notice, ResponseWarning } from "./Notice.tsx"

/**
 * Shows the response of a query with its warning, or its error with a button to retry, or a loading text. With `live` it
 * repeats the query with each sample of the cluster. The last response remains visible during and after a failed query.
 */
export const QueryResponse = <A extends { readonly message: string }, E>({ children, live = false, of }: {
  readonly of: Atom.Atom<AsyncResult.AsyncResult<A, E>>
  readonly live?: boolean
  readonly children: (response: A) => ReactNode
}) => {
  const result = useAtomValue(of)
  const refresh = useAtomRefresh(of)
  const { at } = useAtomValue(liveAtom)
  // A refresh aborts the pending query, so with slow daemons none would complete: only one query runs at a time.
  const isPending = useRef(result.waiting)
  isPending.current = result.waiting
  useEffect(() => {
    if (live && at !== 0 && !isPending.current && document.visibilityState === "visible") refresh()
  }, [at, live, refresh])
  const known = AsyncResult.value(result)
  return (
    <>
      {result._tag === "Failure" && (
        <Notice kind="error">
          {messageOf(result.cause)} <button type="button" onClick={refresh}>Try again</button>
        </Notice>
      )}
      {known._tag === "Some"
        ? (
          <>
            <ResponseWarning message={known.value.message} />
            {children(known.value)}
          </>
        )
        : result._tag !== "Failure" && <p className="loading" role="status">Loading…</p>}
    </>
  )
}

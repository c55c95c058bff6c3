import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { AsyncResult, type Atom } from "effect/reactivity"
import { type ReactNode, useEffect, useRef } from "react"
import { messageOf } from "../core/api.ts"
import { liveAtom } from "../live/live.ts"
import { AnswerWarning, Notice } from "./Notice.tsx"

/**
 * Shows what a query answered, with its warning; what went wrong, with a way to try again; or that it is on its way. With
 * `live` it asks again with every sample of the cluster. The last answer stays while the next is on its way or missing.
 */
export const Answer = <A extends { readonly message: string }, E>({ children, live = false, of }: {
  readonly of: Atom.Atom<AsyncResult.AsyncResult<A, E>>
  readonly live?: boolean
  readonly children: (answer: A) => ReactNode
}) => {
  const result = useAtomValue(of)
  const refresh = useAtomRefresh(of)
  const { at } = useAtomValue(liveAtom)
  // One question at a time: asking again would give up the one on its way, and none would be answered by slow daemons.
  const isAsking = useRef(result.waiting)
  isAsking.current = result.waiting
  useEffect(() => {
    if (live && at !== 0 && !isAsking.current && document.visibilityState === "visible") refresh()
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
            <AnswerWarning message={known.value.message} />
            {children(known.value)}
          </>
        )
        : result._tag !== "Failure" && <p className="loading" role="status">Loading…</p>}
    </>
  )
}

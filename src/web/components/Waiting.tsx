import { useAtomValue } from "@effect/atom-react"
import { liveAtom } from "../live/live.ts"
import { Notice } from "./Notice.tsx"

/** Stands where figures will be, so that the page does not jump when they arrive. */
export const Skeleton = () => (
  <div className="skeleton" role="status">
    <span className="hidden">Loading…</span>
    <i />
    <i />
    <i />
  </div>
)

/** The placeholder before the first sample. */
export const Waiting = () => {
  const { connected } = useAtomValue(liveAtom)
  return connected === false
    ? <Notice kind="error">nsqadmin does not respond. The page retries every few seconds.</Notice>
    : <Skeleton />
}

import type { MouseEvent, ReactNode } from "react"
import { goTo, href } from "../core/navigation.ts"
import type { Route } from "../core/route.ts"

/** A link to a page. A click shows the page without loading the document again. */
export const Link = ({ children, className, current, to }: {
  readonly to: Route
  readonly children: ReactNode
  readonly className?: string
  /** Whether the link leads to the current page. */
  readonly current?: boolean
}) => {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    goTo(to)
  }
  return (
    <a href={href(to)} onClick={onClick} className={className} aria-current={current === true ? "page" : undefined}>
      {children}
    </a>
  )
}

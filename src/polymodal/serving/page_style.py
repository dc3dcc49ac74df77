"""How the web page looks."""

from __future__ import annotations

CSS = """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important }
#head { align-items: center }
#head h1 { margin: 0; font-size: 1.5rem }
#head p { margin: .2rem 0 0; opacity: .75 }
#language { border: 0; box-shadow: none; background: none; padding: 0; min-width: 0 }
.input-card { gap: 6px !important; border: 1px solid var(--border-color-primary);
  border-radius: 10px; padding: 6px 6px 10px; background: var(--block-background-fill) }
.input-card .block { border: 0 !important; box-shadow: none !important }
.input-card :focus-visible { outline: 2px solid #6366f1 !important; outline-offset: 1px }
.input-card button:focus:not(:focus-visible) { outline: none !important }
.left-out { padding: 0 8px !important; background: none !important }
.card { border: 1px solid var(--border-color-primary); border-radius: 10px; padding: 12px 14px;
  background: var(--block-background-fill) }
.card h3 { margin: 0 0 2px; font-size: 1rem }
.card p { margin: 0 0 8px; opacity: .75; font-size: .9rem }
.bar { margin: 9px 0 }
.bar .line { display: flex; justify-content: space-between; gap: 12px; font-size: .92rem }
.bar .track { position: relative; height: 8px; border-radius: 4px; margin-top: 3px;
  background: var(--border-color-primary); overflow: hidden }
.bar .fill { position: absolute; height: 100%; border-radius: 4px; background: #4f46e5 }
.bar .fill.against { background: #b45309 }
.bar .aside { opacity: .7; font-size: .82rem }
.problem { border-color: #dc2626; border-left-width: 5px }
.quiet { opacity: .7; padding: 14px; text-align: center }
.hits { list-style: none; padding: 0; margin: 12px 0 0; display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 150px), 1fr)) }
.hits > li { display: flex; flex-direction: column; gap: 8px; margin: 0; overflow-wrap: anywhere }
.hits img, .hits video { display: block; width: 100%; max-height: 210px; object-fit: contain;
  border-radius: 6px; margin: 0 }
.hits audio { width: 100%; height: 36px }
.hits .said { max-height: 7em; overflow: auto }
.hits .name, .hits details { font-size: .8rem; opacity: .75 }
.hits .score { display: flex; justify-content: space-between; gap: 10px; font-size: .85rem;
  margin-top: auto; font-variant-numeric: tabular-nums; flex-wrap: wrap }
footer { display: none !important }
@media (max-width: 640px) { .gradio-container { padding: 8px !important } }
"""

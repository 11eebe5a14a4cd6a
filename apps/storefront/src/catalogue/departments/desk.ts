import { kind, variant, type Department } from "../product.ts";

export const desk: Department = {
  id: "desk",
  name: { en: "Desk", zh: "书桌" },
  kinds: [
    kind("lamp", "Desk lamps", "台灯", 59,
      variant("arm lamp", "摇臂台灯", "Two joints, and it stays where it is put.", "两个关节，摆哪儿停哪儿。"),
      variant("globe lamp", "球形台灯", "A small moon beside the screen.", "屏幕旁的一轮小月亮。"),
      variant("banker’s lamp", "银行家台灯", "Light on the page, none in the eyes.", "光落在纸上，不晃眼睛。")),
    kind("notebook", "Notebooks", "笔记本", 11,
      variant("ruled notebook", "横线笔记本", "Lies flat from the first page to the last.", "从第一页到最后一页都能摊平。"),
      variant("dotted notebook", "点阵笔记本", "Dots so pale that drawings do not mind.", "点阵很淡，画画也不碍事。"),
      variant("sketch notebook", "素描本", "Thick paper that forgives wet ink.", "厚纸，墨水多一点也不怕。")),
    kind("pen", "Pens", "笔", 15,
      variant("fountain pen", "钢笔", "Finds its own angle within a week.", "用一周就找到自己的角度。"),
      variant("ballpoint pen", "圆珠笔", "Writes on postcards, upside down, in rain.", "明信片上、倒着、雨里都能写。"),
      variant("brush pen", "毛笔式软笔", "One line, thin and thick as you breathe.", "一笔之中，粗细随呼吸。")),
    kind("clock", "Clocks", "时钟", 34,
      variant("table clock", "座钟", "Tells the hour and keeps the rest to itself.", "只报时，不打扰。"),
      variant("alarm clock", "闹钟", "Two bells, so that the phone may sleep elsewhere.", "两个铃铛，手机可以放到别的房间睡。"),
      variant("wall clock", "挂钟", "Readable from the other end of the room.", "房间另一头也看得清。")),
  ],
};

import { kind, variant, type Department } from "../product.ts";

export const cycling: Department = {
  id: "cycling",
  name: { en: "Cycling", zh: "骑行" },
  kinds: [
    kind("helmet", "Helmets", "头盔", 55,
      variant("city helmet", "通勤头盔", "Looks like a cap and thinks like a helmet.", "看着像帽子，本事是头盔。"),
      variant("road helmet", "公路头盔", "Fourteen vents and a visor of air.", "十四个风口，头顶生风。"),
      variant("trail helmet", "山地头盔", "Deep at the back, where branches come from.", "后脑包覆深，树枝不怕。")),
    kind("bike-light", "Bike lights", "车灯", 26,
      variant("front light", "前灯", "A beam with an edge, so that nobody blinks.", "光束有切线，不晃对面的人。"),
      variant("rear light", "尾灯", "Seen from two bridges away.", "隔两座桥也看得见。"),
      variant("dynamo light", "发电花鼓灯", "Shines as long as you pedal, and a minute longer.", "骑着就亮，停下还亮一分钟。")),
    kind("lock", "Locks", "车锁", 36,
      variant("U-lock", "U型锁", "Hardened steel and a key that does not stick.", "硬化钢，钥匙不卡。"),
      variant("chain lock", "链条锁", "Goes around the tree as well.", "连树也能一起锁上。"),
      variant("folding lock", "折叠锁", "Six plates that fit in a pocket.", "六片钢板，收进口袋。")),
    kind("pannier", "Panniers", "驮包", 62,
      variant("rack pannier", "后架驮包", "Clicks on, rides steady, clicks off.", "一扣就上，骑着稳，一按就下。"),
      variant("handlebar bag", "车把包", "Camera, plums and a map under the window.", "相机、李子，还有地图窗。"),
      variant("saddle bag", "鞍座包", "A tube, two levers and a sandwich.", "一条内胎、两根撬棒、一个三明治。")),
  ],
};
